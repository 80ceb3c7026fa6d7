import { html } from "lit";
import { css, placed } from "../element";
import { t } from "../i18n";
import type { LinkFlow } from "../types";
import type { Ink } from "./ink";
import { inkOnPage } from "./page";

const WIDTH_PX = 820;

/** The surroundings of my first place on its page, with the ink in it. */
export function crop(flow: LinkFlow, ink: Ink, apiBase: string) {
  const mine = flow.placements.filter((p) => p.mine);
  const first = mine[0];
  const page_pt = first && flow.documents.find((d) => d.n === first.document)?.page_sizes_pt[first.page - 1];
  if (!first || !page_pt) return "";
  const scale = 1.1; // page width over frame width
  const aspect = page_pt[1] / page_pt[0];
  const left = Math.min(0, Math.max(100 - 100 * scale, 50 - (first.box.x + first.box.w / 2) * 100 * scale));
  const middle = first.box.y + first.box.h / 2;
  return html`<figure class="col">
    <div class="pf-crop" role="img" aria-label=${t("Your signature at its place on page {page}", { page: first.page })}>
      <div class="pf-sheet" ${css({
        width: `${scale * 100}%`,
        left: `${left}%`,
        top: `calc(66px - ${(middle * aspect * scale * 100).toFixed(2)}cqw)`,
      })}>
        <img src="${apiBase}/documents/${first.document}/pages/${first.page}?w=${WIDTH_PX}" width=${WIDTH_PX} height=${Math.round(WIDTH_PX * aspect)} alt="" />
        <div class="pf-marks">
          ${mine.filter((p) => p.document === first.document && p.page === first.page)
            .map((p) => html`<div class="pf-inked c3" ${placed(p.box)}>${inkOnPage(ink, p, flow.me.name)}</div>`)}
        </div>
      </div>
    </div>
  </figure>`;
}
