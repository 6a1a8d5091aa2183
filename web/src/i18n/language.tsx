import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { en, type Texts } from "./en";
import { zh } from "./zh";

export type Language = "zh" | "en";

interface LanguageValue {
  language: Language;
  texts: Texts;
  toggle: () => void;
}

const Context = createContext<LanguageValue | null>(null);
const KEY = "linli-language";

function initial(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === "zh" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(initial);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    localStorage.setItem(KEY, language);
  }, [language]);
  const value = useMemo(
    () => ({
      language,
      texts: language === "zh" ? zh : en,
      toggle: () => setLanguage((now) => (now === "zh" ? "en" : "zh")),
    }),
    [language],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useLanguage(): LanguageValue {
  const value = useContext(Context);
  if (!value) throw new Error("LanguageProvider is missing");
  return value;
}

/** The texts of the chosen language. */
export function useTexts(): Texts {
  return useLanguage().texts;
}
