import { prepare } from "./boot";
import { define } from "./element";
import { App } from "./app";
import { Panel } from "./panel";
import { mount } from "./mount";

void prepare("main").then(() => {
  define("parapheur-app", App);
  define("parapheur-panel", Panel);
  mount();
});
