import type { ComponentChildren } from "preact";

/** What a fact is called, and the fact itself; without one it is not shown. */
export type Fact = [string, ComponentChildren];

/** Facts below each other, each with its name. */
export function FactList({ facts }: { facts: Fact[] }) {
  return (
    <dl>
      {facts.map(
        ([name, fact]) =>
          fact && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{fact}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
