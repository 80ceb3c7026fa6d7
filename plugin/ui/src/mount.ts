/** In the host's own page there is no element of ours: it is put into the page's content, with the addresses around it. */
const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : "";
const EMBEDDED = /^(.*)\/apps\/app_api\/embedded\/parapheur\//;

export function mount(): void {
  const place = EMBEDDED.exec(location.pathname);
  if (!place || !script || document.querySelector("parapheur-app")) return;
  const content = document.querySelector("#content:not(:has(#content)), #content-vue, #content");
  if (!content) return;
  const app = document.createElement("parapheur-app");
  app.setAttribute("base", new URL("../", script).pathname);
  app.setAttribute("files", `${place[1] ?? ""}/apps/files/`);
  app.classList.add("pf-embedded");
  content.replaceChildren(app);
}
