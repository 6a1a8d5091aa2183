import { TextInput } from "@mantine/core";
import { useTexts } from "../i18n/language";

/** The code that an authenticator shows. */
export function SecondFactor({ value, change }: { value: string; change: (code: string) => void }) {
  const words = useTexts().people;
  return (
    <TextInput
      label={words.code} description={words.codeWhere} autoComplete="one-time-code" inputMode="numeric" required autoFocus value={value}
      onChange={(event) => change(event.currentTarget.value.replaceAll(" ", ""))}
    />
  );
}
