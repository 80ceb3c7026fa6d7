/** Sending a workflow off. Files of several GB are read for minutes: how far that is, is asked beside it; and where a proxy
 * in between gave up waiting, the same request is sent again, and gets the same answer. */
import { Declined, type Api } from "../api";
import { size, t } from "../i18n";
import type { FlowOut, LaunchProgress } from "../types";

const ASK_EVERY_MS = 1500;
const TRIES = 3;
const pause = (ms: number) => new Promise<void>((done) => window.setTimeout(done, ms));

export async function launched(api: Api, body: unknown, key: string, tell: (text: string) => void): Promise<FlowOut> {
  const asked = () => api.get<LaunchProgress>(`api/v1/launches/${key}`);
  for (let tries = 1; ; tries++) {
    const post = api.post<FlowOut>("api/v1/flows", body, { "Idempotency-Key": key });
    const watched = { over: false };
    const over = () => { watched.over = true; };
    post.then(over, over);
    void follow(asked, watched, tell);
    try {
      return await post;
    } catch (error) {
      const passes = error instanceof Declined && (error.problem.status === 0 || error.problem.retry_s !== undefined);
      if (!passes || tries === TRIES || !(await goesOn(asked, tell))) throw error;
    }
  }
}

async function follow(asked: () => Promise<LaunchProgress>, watched: { over: boolean }, tell: (text: string) => void): Promise<void> {
  for (;;) {
    await pause(ASK_EVERY_MS);
    if (watched.over) return;
    const now = await asked().catch(() => null);
    if (now && !watched.over) show(now, tell);
  }
}

/** Whether it was still being worked on and then came to something. An answer that was merely lost is told. */
async function goesOn(asked: () => Promise<LaunchProgress>, tell: (text: string) => void): Promise<boolean> {
  for (let waited = false; ; waited = true) {
    const now = await asked().catch(() => null);
    if (now?.state !== "running") return waited && now?.state === "done";
    show(now, tell);
    await pause(ASK_EVERY_MS);
  }
}

function show(now: LaunchProgress, tell: (text: string) => void): void {
  if (now.state !== "running" || now.total_bytes === null || now.done_bytes === null) return;
  const percent = now.total_bytes ? Math.floor((100 * now.done_bytes) / now.total_bytes) : 0;
  tell(t("{percent} % of {total} read", { percent, total: size(now.total_bytes) }));
}
