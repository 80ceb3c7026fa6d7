import { LitElement, noChange, nothing } from "lit";
import { Directive, directive, PartType, type ElementPart, type PartInfo } from "lit/directive.js";
import { ref } from "lit/directives/ref.js";
import type { Box } from "./types";

/** Elements render into the page itself, so that the linked style sheets apply. */
export class PageElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}

/** Sets style properties through the CSSOM: the pages' policy allows no style attribute. */
class Css extends Directive {
  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error("css() belongs on an element");
  }
  override update(part: ElementPart, [values]: [Record<string, string>]): typeof noChange {
    const { style } = part.element as HTMLElement;
    for (const [name, value] of Object.entries(values)) style.setProperty(name, value);
    return noChange;
  }
  render(_values: Record<string, string>): typeof nothing {
    return nothing;
  }
}
export const css = directive(Css);

const percent = (fraction: number) => `${(fraction * 100).toFixed(4)}%`;

/** Puts an element at a box of its page. */
export const placed = (box: Box) =>
  css({ left: percent(box.x), top: percent(box.y), width: percent(box.w), height: percent(box.h) });

/** On a <dialog>: opens it as a modal (the browser traps focus) and gives focus back to its opener at the end. */
export function modal() {
  let opener: Element | null = null;
  return ref((element) => {
    if (element) {
      const dialog = element as HTMLDialogElement;
      opener = document.activeElement;
      queueMicrotask(() => dialog.isConnected && !dialog.open && dialog.showModal()); // not in the page before
    } else {
      const back = opener;
      queueMicrotask(() => back instanceof HTMLElement && back.isConnected && back.focus()); // inert until the dialog is gone
    }
  });
}

export function define(name: string, element: CustomElementConstructor): void {
  if (!customElements.get(name)) customElements.define(name, element);
}
