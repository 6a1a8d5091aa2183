import { useEffect } from "react";
import { useTexts } from "./i18n/language";

/** The page's name in the browser's tab and for screen readers. */
export function useTitle(name: string | undefined): void {
  const texts = useTexts();
  useEffect(() => {
    document.title = name ? `${name} · ${texts.appName}` : texts.appName;
  }, [name, texts]);
}
