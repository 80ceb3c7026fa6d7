import { prepare } from "./boot";
import { define } from "./element";
import { App } from "./app";
import { Panel } from "./panel";

void prepare("main").then(() => {
  define("parapheur-app", App);
  define("parapheur-panel", Panel);
});
