import { render } from "preact";
import "./base.css"; // these two before the components: theirs build on them
import "./shapes.css";
import { App } from "./App";

const place = document.getElementById("app")!;
place.replaceChildren(); // the outline, which stood there until now
render(<App />, place);
