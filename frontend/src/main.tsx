import { render } from "preact";
import "./base.css"; // before the components: theirs builds on it
import { App } from "./App";

render(<App />, document.getElementById("app")!);
