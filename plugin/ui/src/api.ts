import { language, t } from "./i18n";
import type { Problem } from "./types";

/** A request the server declined, with a sentence for people. */
export class Declined extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

/** Calls below one base URL. Mutations carry the page's token; an expired one is fetched anew and tried once more. */
export interface Api {
  url(path: string): string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown, headers?: Record<string, string>, method?: string): Promise<T>;
  upload<T>(path: string, body: Blob, type: string): Promise<T>;
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export { sentence };

/** Answers come in the language of the page, whatever the browser's own is. */
async function call<T>(url: string, init: RequestInit & { headers?: Record<string, string> }): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...init, headers: { "Accept-Language": language(), ...init.headers } });
  } catch {
    throw new Declined({ title: t("The server cannot be reached. Check your connection, then try again."), status: 0, code: "offline", retry_s: 5 });
  }
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  const body: unknown = isJson ? await response.json() : null;
  if (response.ok) return body as T;
  const problem = (body ?? {}) as Partial<Problem>;
  const { status, headers } = response;
  const stands = status === 503 && headers.get("X-Nextcloud-Maintenance-Mode"); // the platform itself answered
  const passes = status === 429 || status === 502 || status === 503 || status === 504;
  throw new Declined({
    ...problem,
    title: problem.title || (stands
      ? t("The platform is in maintenance. Nothing was lost; please try again in a few minutes.")
      : t("The server answered with error {status}. Try again in a moment.", { status })),
    status,
    code: problem.code || `http-${status}`,
    ...(passes ? { retry_s: Math.min(120, Number(headers.get("Retry-After")) || 5) } : {}),
  });
}

export function connect(base: string, tokenPath: string, firstToken = ""): Api {
  const url = (path: string) => base + path;
  let token = firstToken;
  async function freshToken(): Promise<void> {
    token = (await call<{ csrf_token: string }>(url(tokenPath), {})).csrf_token;
  }
  async function send<T>(path: string, body: BodyInit, type: string, more: Record<string, string> = {}, method = "POST"): Promise<T> {
    if (!token) await freshToken();
    const attempt = () =>
      call<T>(url(path), { method, body, headers: { ...more, "Content-Type": type, "X-CSRF-Token": token } });
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Declined) || error.problem.code !== "page-expired") throw error;
      await freshToken();
      return attempt();
    }
  }
  return {
    url,
    get: (path) => call(url(path), {}),
    post: (path, body = {}, headers = {}, method = "POST") => send(path, JSON.stringify(body), "application/json", headers, method),
    upload: (path, body, type) => send(path, body, type),
  };
}

/** The characters of a name that no stamp can show. Launching asks again, should this question not get through. */
export async function undrawable(api: Api, name: string): Promise<string> {
  const answer = await api.post<{ missing: string[] }>("api/v1/stamps/undrawable", { texts: [name] }).catch(() => null);
  return answer?.missing[0] ?? "";
}
