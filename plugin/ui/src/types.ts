/** What goes over the wire, as plugin/web/schemas.py says. */
export type Kind = "validation" | "signature" | "eidas_simple" | "eidas_advanced";
export type FlowState = "running" | "suspended" | "completed" | "refused" | "cancelled" | "expired";
export type RecipientState =
  | "waiting" | "invited" | "viewed" | "approved" | "signed" | "refused" | "skipped" | "replaced";

export interface Problem {
  title: string;
  status: number;
  code: string;
  path?: string | null;
  retry_s?: number; // when trying again may help
  errors?: { path?: string; message?: string; title?: string }[];
}

export interface Me {
  user: string;
  name: string;
  email: string | null;
  language: string;
  csrf_token: string;
  is_admin: boolean;
  collection_limit_bytes: number;
  limits: { collection_bytes: number; validation_file_bytes: number | null; documents: number; recipients: number };
}

export interface TypeInfo {
  kind: Kind;
  label: string;
  description: string;
  available: boolean;
  code: string | null;
  reason: string | null;
}

export interface Inspected {
  file_id: string;
  name: string;
  size_bytes: number;
  mime: string;
  is_pdf: boolean;
  pages: number | null;
  page_sizes_pt: [number, number][];
  signatures: number;
  saved_in: "beside" | "home";
  problems: { code: string; message: string }[];
}

export interface InspectAnswer {
  documents: Inspected[];
  total_bytes: number;
  limit_bytes: number;
}

export interface Suggestion {
  user: string;
  name: string;
  email: string | null;
}

/** Fractions of the displayed page, from its top left. */
export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface RecipientOut {
  id: string;
  role: "validator" | "signatory" | "observer";
  user: string | null;
  email: string | null;
  name: string;
  state: RecipientState;
  opened_at: string | null;
  decided_at: string | null;
  message: string | null;
  comment: string | null;
  reason: string | null;
  replaces?: string | null;
  delivery: { state: "queued" | "accepted" | "failed"; at: string | null; reason: string | null } | null;
}

export interface StepOut {
  rule: "all" | "any" | { n: number };
  recipients: RecipientOut[];
}

export interface DocumentOut {
  n: number;
  file_id: string;
  name: string;
  size_bytes: number;
  mime: string;
  pages: number | null;
  page_sizes_pt: [number, number][];
  sha256: string;
  current_sha256: string;
  signed: { file_id: string; path: string | null; sha256: string } | null;
  source: { state: "same" | "moved" | "changed" | "gone"; path: string | null } | null;
}

export interface PlacementOut {
  document: number;
  page: number;
  recipient: string;
  box: Box;
  with_text: boolean;
  reason: string | null;
  mine: boolean;
}

export interface FlowOut {
  id: string;
  kind: Kind;
  state: FlowState;
  title: string;
  creator: { user: string; name: string; email: string | null };
  comment: string | null;
  created_at: string;
  expires_at: string | null;
  copy_to_all?: boolean;
  steps: StepOut[];
  documents: DocumentOut[];
  placements: PlacementOut[];
  warnings?: string[];
  suspension?: { reason: "creator-out" | "creator-gone" | "no-access" | "source-changed" | "source-gone"; since: string } | null;
}

export interface LinkFlow extends FlowOut {
  me: { id: string; role: string; state: RecipientState; round: number; name: string; email: string | null; user: string | null; my_turn: boolean };
  csrf_token: string;
  consent: string;
}

export interface LaunchProgress {
  state: "unknown" | "running" | "done";
  done_bytes: number | null;
  total_bytes: number | null;
  flow_id: string | null;
}

export interface FlowSummary {
  id: string;
  kind: Kind;
  state: FlowState;
  title: string;
  creator: { user: string; name: string };
  created_at: string;
  updated_at: string;
  steps_done: number;
  steps_total: number;
  my_turn: boolean;
}

export interface FileFlow {
  id: string;
  kind: Kind;
  state: FlowState;
  title: string | null;
  created_at: string;
  steps_done: number;
  steps_total: number;
  detail: FlowOut | null;
}
