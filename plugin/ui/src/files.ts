import { prepare } from "./boot";
import { DemoFiles } from "./demo/files";
import { DemoLogin } from "./demo/login";
import { define } from "./element";
import { Panel } from "./panel";

void prepare("files").then(() => {
  define("parapheur-panel", Panel);
  define("demo-files", DemoFiles);
  define("demo-login", DemoLogin);
});
