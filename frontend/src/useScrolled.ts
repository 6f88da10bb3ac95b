import { useEffect } from "preact/hooks";

/** Tells the style sheets whether the page is scrolled, by a class of the root. */
export function useScrolled(): void {
  useEffect(() => {
    const tell = () => document.documentElement.classList.toggle("scrolled", scrollY > 0);
    tell();
    addEventListener("scroll", tell, { passive: true });
    return () => removeEventListener("scroll", tell);
  }, []);
}
