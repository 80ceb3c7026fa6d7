import { svg, html, type SVGTemplateResult, type TemplateResult } from "lit";

/** Line icons on a 24-unit grid. They are decoration: the words beside them say what they mean. */
const shapes = {
  flow: svg`<path d="M3 6h9a3.5 3.5 0 0 1 0 7H9a3.5 3.5 0 0 0 0 7h12"/><circle cx="18" cy="6" r="2"/>`,
  check: svg`<path d="m5 12.5 4.5 4.5L19 7.5"/>`,
  approve: svg`<circle cx="12" cy="12" r="9"/><path d="m8 12.3 2.8 2.8L16 9.6"/>`,
  close: svg`<path d="m6 6 12 12M18 6 6 18"/>`,
  sign: svg`<path d="M3 20h18M4 15c3-8 7-11 8-9s-4 8-2.5 9S14 10 15.5 11s-.5 4 1 4 2-1 4-1"/>`,
  stamp: svg`<path d="M9 13c1-3-1-4-1-6a4 4 0 0 1 8 0c0 2-2 3-1 6h3a2 2 0 0 1 2 2v2H4v-2a2 2 0 0 1 2-2zM4 21h16"/>`,
  text: svg`<path d="M5 6V5h14v1M12 5v14M9 19h6"/>`,
  phone: svg`<rect x="7" y="3" width="10" height="18" rx="2"/><path d="M11 18h2"/>`,
  card: svg`<rect x="3" y="5" width="18" height="14" rx="2"/><circle cx="8.5" cy="11" r="2"/><path d="M5.5 16c.6-1.6 1.7-2 3-2s2.4.4 3 2M14.5 10H18M14.5 13.5H18"/>`,
  plus: svg`<path d="M12 5v14M5 12h14"/>`,
  minus: svg`<path d="M5 12h14"/>`,
  search: svg`<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5"/>`,
  upload: svg`<path d="M12 16V4m-5 5 5-5 5 5M4 16v3a1.5 1.5 0 0 0 1.5 1.5h13A1.5 1.5 0 0 0 20 19v-3"/>`,
  download: svg`<path d="M12 4v12m-5-5 5 5 5-5M4 16v3a1.5 1.5 0 0 0 1.5 1.5h13A1.5 1.5 0 0 0 20 19v-3"/>`,
  right: svg`<path d="m9 5 7 7-7 7"/>`,
  left: svg`<path d="m15 5-7 7 7 7"/>`,
  down: svg`<path d="m5 9 7 7 7-7"/>`,
  up: svg`<path d="m5 15 7-7 7 7"/>`,
  forward: svg`<path d="M4 12h16m-6-6 6 6-6 6"/>`,
  back: svg`<path d="M20 12H4m6-6-6 6 6 6"/>`,
  grip: svg`<path class="f" d="M8 5h2.5v2.5H8zM13.5 5H16v2.5h-2.5zM8 10.75h2.5v2.5H8zM13.5 10.75H16v2.5h-2.5zM8 16.5h2.5V19H8zM13.5 16.5H16V19h-2.5z"/>`,
  info: svg`<circle cx="12" cy="12" r="9"/><path d="M12 11v5M12 7.6v.3"/>`,
  alert: svg`<path d="M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.3"/>`,
  clock: svg`<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/>`,
  folder: svg`<path d="M3 6.5A1.5 1.5 0 0 1 4.5 5H9l2.5 2.5h8A1.5 1.5 0 0 1 21 9v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18z"/>`,
  home: svg`<path d="m4 11 8-7 8 7v8.5h-5.5V14h-5v5.5H4z"/>`,
  rename: svg`<path d="m4 20 .8-4L16.5 4.3a1.5 1.5 0 0 1 2.1 0l1.1 1.1a1.5 1.5 0 0 1 0 2.1L8 19.2z"/>`,
  trash: svg`<path d="M4 7h16M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10.5 11v5M13.5 11v5"/>`,
  more: svg`<path class="f" d="M4 10.5h3v3H4zM10.5 10.5h3v3h-3zM17 10.5h3v3h-3z"/>`,
  eye: svg`<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z"/><circle cx="12" cy="12" r="3"/>`,
  mail: svg`<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3.5 7 8.5 6 8.5-6"/>`,
  person: svg`<circle cx="12" cy="8" r="4"/><path d="M4.5 20.5c.8-4 3.7-6 7.5-6s6.7 2 7.5 6"/>`,
  send: svg`<path d="M20.5 3.5 3 10.5l7 3.5 3.5 7zM10 14l10.5-10.5"/>`,
  fit: svg`<path d="M9 4H4v5M15 4h5v5M9 20H4v-5M15 20h5v-5"/>`,
  copy: svg`<rect x="8.5" y="8.5" width="11.5" height="11.5" rx="2"/><path d="M15.5 8.5V5.5a1.5 1.5 0 0 0-1.5-1.5H5.5A1.5 1.5 0 0 0 4 5.5V14a1.5 1.5 0 0 0 1.5 1.5h3"/>`,
  undo: svg`<path d="M8 4 4 8l4 4M4 8h10a6 6 0 0 1 0 12h-4"/>`,
  image: svg`<rect x="3.5" y="4.5" width="17" height="15" rx="2"/><circle cx="9" cy="10" r="1.6"/><path d="m4 17.5 5-4 3.5 2.5 3.5-3.5 4.5 4"/>`,
  shield: svg`<path d="M12 3.5 5 6v5.5c0 4.5 3 7.5 7 9 4-1.5 7-4.5 7-9V6zM9 12l2.2 2.2L15.3 10"/>`,
  zoomin: svg`<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5M11 8.5v5M8.5 11h5"/>`,
  zoomout: svg`<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5M8.5 11h5"/>`,
} satisfies Record<string, SVGTemplateResult>;

export type IconName = keyof typeof shapes;

export function icon(name: IconName, sizing = ""): TemplateResult {
  return html`<svg class="i ${sizing}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${shapes[name]}</svg>`;
}
