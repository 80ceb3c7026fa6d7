/** Texts. The msgid is the English sentence; the server puts the page's subset of the catalogue in #pf-i18n. */
type Values = Record<string, string | number>;

let catalogue: Record<string, string | string[]> | null = null;

function subset(): Record<string, string | string[]> {
  if (!catalogue) {
    const source = document.getElementById("pf-i18n")?.textContent ?? "{}";
    catalogue = JSON.parse(source) as Record<string, string | string[]>;
  }
  return catalogue;
}

function fill(text: string, values?: Values): string {
  return values ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole)) : text;
}

export function t(msgid: string, values?: Values): string {
  const found = subset()[msgid];
  return fill(typeof found === "string" ? found : msgid, values);
}

/** French counts 0 as one; English does not. */
export function tn(one: string, many: string, n: number, values?: Values): string {
  const found = subset()[one];
  const plural = language() === "fr" ? n > 1 : n !== 1;
  const text = Array.isArray(found) ? found[plural ? 1 : 0] : plural ? many : one;
  return fill(text ?? one, { n: number(n), ...values });
}

export function language(): string {
  return (document.documentElement.lang || "en").slice(0, 2);
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
}

/** Sizes are decimal: 15 MB is 15,000,000 bytes. */
export function megabytes(bytes: number): string {
  return number(bytes ? Math.max(0.1, bytes / 1_000_000) : 0, 1);
}

export function size(bytes: number): string {
  if (bytes < 1_000_000) return t("{n} kB", { n: number(Math.max(bytes ? 1 : 0, Math.round(bytes / 1000))) });
  if (bytes >= 1_000_000_000) return t("{n} GB", { n: number(bytes / 1_000_000_000, 1) });
  return t("{n} MB", { n: megabytes(bytes) });
}

function sameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString();
}

/** A moment in the viewer's own time zone, as people say it. */
export function when(iso: string, now = new Date()): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const time = new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at);
  if (sameDay(at, now)) return t("today at {time}", { time });
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  if (sameDay(at, yesterday)) return t("yesterday at {time}", { time });
  const year = at.getFullYear() === now.getFullYear() ? undefined : "numeric";
  const day = new Intl.DateTimeFormat(language(), { day: "numeric", month: "short", year }).format(at);
  return t("{day} at {time}", { day, time });
}

/** A long name with its middle left out. */
export function shortened(name: string, most = 44): string {
  const half = (most - 1) >> 1;
  return name.length <= most ? name : `${name.slice(0, half).trimEnd()}…${name.slice(-half).trimStart()}`;
}
