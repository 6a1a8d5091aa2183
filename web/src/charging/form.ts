import type { SiteCharging, SiteChargingBody } from "../api/client";

export const PHASE_CHOICES = [0, 1, 2, 3] as const;

export interface PointRow {
  key: number;
  chargePoint: string;
  password: string;
  passwordSet: boolean;
  noPassword: boolean;
  amps: number | string;
  phases: 1 | 3;
  phase: 0 | 1 | 2 | 3;
}

export interface TokenRow {
  key: number;
  name: string;
  idTag: string;
  masked: string;
  blocked: boolean;
  expiresMs: number;
}

/** What stands in the form. An empty password or card number means: as it is; that there is to be none is said. */
export interface Draft {
  fuse: number | string;
  failSafe: number | string;
  freeForAll: boolean;
  firmwareUrl: string;
  diagnosticsUrl: string;
  points: PointRow[];
  tokens: TokenRow[];
}

/** The form as the site is now; a site that nobody has set up begins with a usual fuse. */
export function draftOf(site: SiteCharging): Draft {
  return {
    fuse: site.set_up ? site.fuse_a : 63,
    failSafe: site.set_up ? site.fail_safe_a : 6,
    freeForAll: site.free_for_all,
    firmwareUrl: site.firmware_url,
    diagnosticsUrl: site.diagnostics_url,
    points: site.charge_points.map((point, key) => ({
      key,
      chargePoint: point.charge_point,
      password: "",
      passwordSet: point.password_set,
      noPassword: !point.password_set,
      amps: point.current_max_a,
      phases: point.phases === 1 ? 1 : 3,
      phase: PHASE_CHOICES.find((phase) => phase === point.phase) ?? 0,
    })),
    tokens: site.tokens.map((token, key) => ({
      key,
      name: token.name,
      idTag: "",
      masked: token.id_tag_masked,
      blocked: token.blocked,
      expiresMs: token.expires_ms,
    })),
  };
}

/** What is sent: secrets only where somebody has typed some. */
export function bodyOf(draft: Draft): SiteChargingBody {
  return {
    fuse_a: Number(draft.fuse),
    fail_safe_a: Number(draft.failSafe),
    free_for_all: draft.freeForAll,
    firmware_url: draft.firmwareUrl.trim(),
    diagnostics_url: draft.diagnosticsUrl.trim(),
    charge_points: draft.points.map((point) => ({
      charge_point: point.chargePoint.trim(),
      current_max_a: Number(point.amps),
      phases: point.phases,
      phase: point.phases === 1 ? point.phase : 0,
      ...(point.noPassword ? { password: "" } : point.password ? { password: point.password } : {}),
    })),
    tokens: draft.tokens.map((token) => ({
      name: token.name.trim(),
      blocked: token.blocked,
      expires_ms: token.expiresMs,
      ...(token.idTag ? { id_tag: token.idTag.trim() } : {}),
    })),
  };
}

/** A key that no row has. */
export function nextKey(rows: { key: number }[]): number {
  return 1 + Math.max(-1, ...rows.map((row) => row.key));
}

/** The fail-safe is only kept for all at once; else a charger that has lost its link pauses. */
export function carriesFailSafe(draft: Draft): boolean {
  return Number(draft.failSafe) >= 6 && draft.points.length * Number(draft.failSafe) <= Number(draft.fuse);
}
