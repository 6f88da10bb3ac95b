import { defineConfig, loadEnv } from "vite";

export default defineConfig(({ mode }) => {
  // PORT comes from where the server reads it: the environment, or else the .env one folder up.
  const { PORT } = loadEnv(mode, "..", "PORT");
  const server = `http://127.0.0.1:${PORT || 8000}`;
  const paths = ["/search", "/img", "/thumb", "/status", "/health", "/docs", "/openapi.json"];
  return {
    // The first ones to know light-dark(), which would be rewritten for older ones, and wrongly.
    build: { cssTarget: ["chrome123", "firefox125", "safari17.5"] },
    server: { proxy: Object.fromEntries(paths.map((path) => [path, server])) },
  };
});
