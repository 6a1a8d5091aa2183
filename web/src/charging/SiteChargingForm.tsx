import { Alert, Button, Checkbox, CloseButton, Group, NumberInput, PasswordInput, SegmentedControl, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type SiteCharging } from "../api/client";
import { useTexts } from "../i18n/language";
import { said } from "../said";
import { bodyOf, carriesFailSafe, draftOf, nextKey, PHASE_CHOICES, type Draft, type PointRow, type TokenRow } from "./form";

/** Change how a site charges. Passwords and card numbers are typed in and never shown again. */
export function SiteChargingForm({ site, done }: { site: SiteCharging; done: () => void }) {
  const texts = useTexts();
  const words = texts.charging;
  const queries = useQueryClient();
  const [draft, setDraft] = useState<Draft>(() => draftOf(site));
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const save = useMutation({
    mutationFn: () =>
      data(api.PUT("/api/v1/gateways/{gateway_id}/charging", { params: { path: { gateway_id: site.gateway_id } }, body: bodyOf(draft) })),
    onSuccess: (saved) => {
      queries.setQueryData(["site charging", site.gateway_id], saved);
      done();
    },
  });
  const changePoint = (key: number, part: Partial<PointRow>) => change({ points: draft.points.map((row) => (row.key === key ? { ...row, ...part } : row)) });
  const changeToken = (key: number, part: Partial<TokenRow>) => change({ tokens: draft.tokens.map((row) => (row.key === key ? { ...row, ...part } : row)) });
  return (
    <Stack gap="sm" component="form" onSubmit={(event) => { event.preventDefault(); save.mutate(); }}>
      <Group grow align="flex-start">
        <NumberInput label={words.fuse} description={words.fuseText} suffix=" A" min={6} max={10_000} required value={draft.fuse} onChange={(fuse) => change({ fuse })} />
        <NumberInput label={words.failSafe} description={words.failSafeText} suffix=" A" min={0} max={500} required value={draft.failSafe} onChange={(failSafe) => change({ failSafe })} />
      </Group>
      {!carriesFailSafe(draft) && <Alert color="yellow" p="xs">{words.failSafeTooMuch}</Alert>}
      <Checkbox label={words.freeForAll} checked={draft.freeForAll} onChange={(event) => change({ freeForAll: event.currentTarget.checked })} />
      <Group grow preventGrowOverflow={false} align="flex-start">
        <TextInput label={words.firmwareUrl} placeholder="https://" maxLength={512} value={draft.firmwareUrl} onChange={(event) => change({ firmwareUrl: event.currentTarget.value })} />
        <TextInput label={words.diagnosticsUrl} placeholder="ftps://" maxLength={512} value={draft.diagnosticsUrl} onChange={(event) => change({ diagnosticsUrl: event.currentTarget.value })} />
      </Group>

      <Title order={3} size="h5">{words.chargePoints}</Title>
      {draft.points.map((row) => (
        <Group key={row.key} gap="xs" align="flex-end" role="group" aria-label={row.chargePoint || words.chargePoint}>
          <TextInput label={words.chargePoint} required maxLength={48} style={{ flex: "1 1 140px" }} value={row.chargePoint} onChange={(event) => changePoint(row.key, { chargePoint: event.currentTarget.value })} />
          <PasswordInput label={words.password} autoComplete="new-password" minLength={16} maxLength={40} required={!row.passwordSet && !row.noPassword} disabled={row.noPassword} placeholder={row.noPassword ? words.passwordNone : row.passwordSet ? words.asItIs : undefined} style={{ flex: "1 1 140px" }} value={row.noPassword ? "" : row.password} onChange={(event) => changePoint(row.key, { password: event.currentTarget.value })} />
          <Checkbox label={words.noPassword} mb={8} checked={row.noPassword} onChange={(event) => changePoint(row.key, { noPassword: event.currentTarget.checked })} />
          <NumberInput label={words.atMost} suffix=" A" min={6} max={500} required w={90} value={row.amps} onChange={(amps) => changePoint(row.key, { amps })} />
          <SegmentedControl aria-label={words.phases} data={[{ value: "3", label: "3 ~" }, ...PHASE_CHOICES.map((phase) => ({ value: `1.${phase}`, label: phase ? `L${phase}` : "1 ~" }))]} value={row.phases === 3 ? "3" : `1.${row.phase}`} onChange={(value) => changePoint(row.key, value === "3" ? { phases: 3, phase: 0 } : { phases: 1, phase: PHASE_CHOICES.find((phase) => value === `1.${phase}`) ?? 0 })} />
          <CloseButton aria-label={words.remove} mb={4} onClick={() => change({ points: draft.points.filter((one) => one.key !== row.key) })} />
        </Group>
      ))}
      <Button variant="subtle" size="compact-sm" style={{ alignSelf: "flex-start" }} onClick={() => change({ points: [...draft.points, { key: nextKey(draft.points), chargePoint: "", password: "", passwordSet: false, noPassword: false, amps: 16, phases: 3, phase: 0 }] })}>{words.addChargePoint}</Button>

      <Title order={3} size="h5">{words.tokens}</Title>
      {draft.tokens.map((row) => (
        <Group key={row.key} gap="xs" align="flex-end" role="group" aria-label={row.name || words.token}>
          <TextInput label={words.token} required maxLength={100} style={{ flex: "1 1 140px" }} value={row.name} onChange={(event) => changeToken(row.key, { name: event.currentTarget.value })} />
          <TextInput label={words.idTag} autoComplete="off" maxLength={36} required={!row.masked} placeholder={row.masked} style={{ flex: "1 1 140px" }} value={row.idTag} onChange={(event) => changeToken(row.key, { idTag: event.currentTarget.value })} />
          <Checkbox label={words.blocked} mb={8} checked={row.blocked} onChange={(event) => changeToken(row.key, { blocked: event.currentTarget.checked })} />
          <CloseButton aria-label={words.remove} mb={4} onClick={() => change({ tokens: draft.tokens.filter((one) => one.key !== row.key) })} />
        </Group>
      ))}
      <Button variant="subtle" size="compact-sm" style={{ alignSelf: "flex-start" }} onClick={() => change({ tokens: [...draft.tokens, { key: nextKey(draft.tokens), name: "", idTag: "", masked: "", blocked: false, expiresMs: 0 }] })}>{words.addToken}</Button>

      {save.isError && <Alert color="red" role="alert">{said(save.error, texts)}</Alert>}
      <Group justify="space-between">
        <Text size="xs" c="dimmed" style={{ flex: 1 }}>{words.secretsText}</Text>
        <Button type="submit" loading={save.isPending}>{words.save}</Button>
      </Group>
    </Stack>
  );
}
