import { PasswordInput } from "@mantine/core";
import { useTexts } from "../i18n/language";
import { wordOf } from "../said";

const LENGTH_MIN = 12;
const LENGTH_MAX = 256;

/** For a password that somebody chooses; error: the server's answer, which knows those that are guessed first. */
export function NewPasswordInput({ label, value, change, error }: { label: string; value: string; change: (value: string) => void; error: Error | null }) {
  const words = useTexts().people;
  const refused = wordOf(error) === "password_refused";
  const length = [...value].length;
  const why = length < LENGTH_MIN ? words.passwordShort : length > LENGTH_MAX ? words.passwordLong : words.passwordGuessed;
  return (
    <PasswordInput
      label={label} description={words.passwordText} autoComplete="new-password" required value={value} error={refused ? why : undefined}
      onChange={(event) => change(event.currentTarget.value)}
      visibilityToggleButtonProps={{ "aria-label": words.showPassword }}
    />
  );
}
