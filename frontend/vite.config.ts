import { defineConfig, loadEnv, type Plugin } from "vite";

/** Lets a browser paint what stands in the page before the style sheet has come. */
const stylesLast: Plugin = {
  name: "styles-last",
  transformIndexHtml: {
    order: "post",
    handler(html) {
      const [link = ""] = /<link rel="stylesheet"[^>]*>/.exec(html) ?? [];
      return html.replace(link, "").replace("</body>", `${link}</body>`);
    },
  },
};

// Made by its own build, which knows what may be shortened: 0.8 kB less than by Vite's.
const photoSwipe = new URL("node_modules/photoswipe/dist/photoswipe.esm.min.js", import.meta.url);

// The first ones to know light-dark(), which would be rewritten for older ones, and wrongly.
const ENGINES = ["chrome123", "firefox125", "safari17.5"];

export default defineConfig(({ mode }) => {
  // PORT comes from where the server reads it: the environment, or else the .env one folder up.
  const { PORT } = loadEnv(mode, "..", "PORT");
  const server = `http://127.0.0.1:${PORT || 8000}`;
  // All that the server answers but the page itself; what begins like this is meant as well.
  const answers = ["/search", "/photo", "/folders", "/examples", "/months", "/archive", "/img", "/thumb", "/status"];
  const api = [...answers, "/duplicates", "/export", "/mcp", "/health", "/metrics", "/docs", "/openapi.json"];
  return {
    base: "./", // wherever the app lies on its host
    build: {
      target: ENGINES,
      cssTarget: ENGINES,
      modulePreload: false, // there is nothing that a chunk has to load first
    },
    plugins: [stylesLast],
    resolve: {
      alias: [{ find: /^photoswipe$/, replacement: decodeURIComponent(photoSwipe.pathname) }],
    },
    server: {
      port: 5174, // as in CocoIndex's tutorial
      proxy: Object.fromEntries(api.map((path) => [path, server])),
    },
  };
});
