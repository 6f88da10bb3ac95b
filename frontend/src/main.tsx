import { render } from "preact";
import "./base.css"; // before the components: theirs builds on it
import { App } from "./App";

const place = document.getElementById("app")!;
place.replaceChildren(); // the outline, which stood there until now
render(<App />, place);
