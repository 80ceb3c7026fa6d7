/** Host pages that are not ours bring neither texts nor styles: both are fetched beside the script then. */
const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : "";

export async function prepare(bundle: string): Promise<void> {
  if (!script) return;
  if (!document.querySelector('link[href*="host.css"], link[href*="css/embed"]')) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL("embed.css", script).href;
    document.head.append(link);
  }
  if (document.getElementById("pf-i18n")) return;
  const language = (document.documentElement.lang || "en").slice(0, 2);
  const holder = document.createElement("script");
  holder.type = "application/json";
  holder.id = "pf-i18n";
  holder.textContent = "{}";
  if (language !== "en") {
    const answer = await fetch(new URL("i18n.json", script)).catch(() => null);
    const all = answer?.ok ? ((await answer.json()) as Record<string, Record<string, unknown>>) : {};
    holder.textContent = JSON.stringify(all[language]?.[bundle] ?? {});
  }
  document.head.append(holder);
}
