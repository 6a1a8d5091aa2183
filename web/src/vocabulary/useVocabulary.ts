import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, data, type BilingualName, type MetricWord, type VerbWord } from "../api/client";
import { useLanguage } from "../i18n/language";

export interface VocabularyOf {
  metric: (name: string) => MetricWord | undefined;
  verb: (name: string) => VerbWord | undefined;
  label: (name: string) => string;
}

/** The vocabulary of metrics and verbs; it does not change while the page is open. */
export function useVocabulary(): VocabularyOf {
  const { language } = useLanguage();
  const { data: vocabulary } = useQuery({
    queryKey: ["vocabulary"],
    queryFn: () => data(api.GET("/api/v1/vocabulary")),
    staleTime: Infinity,
  });
  return useMemo(() => {
    const metrics = new Map(vocabulary?.metrics.map((metric) => [metric.name, metric]));
    const verbs = new Map(vocabulary?.verbs.map((verb) => [verb.name, verb]));
    return {
      metric: (name: string) => metrics.get(name),
      verb: (name: string) => verbs.get(name),
      label: (name: string) => metrics.get(name)?.label[language] ?? verbs.get(name)?.label[language] ?? name,
    };
  }, [vocabulary, language]);
}

export function useName(): (name: BilingualName) => string {
  const { language } = useLanguage();
  return (name) => name[language] || name.en || name.zh;
}
