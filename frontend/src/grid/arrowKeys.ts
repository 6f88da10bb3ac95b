/** The photo that an arrow key leads to: along the row, or to what is nearest in the next one. */
export function neighbour(cards: HTMLElement[], from: number, key: string): HTMLElement | undefined {
  if (key === "Home") return cards[0];
  if (key === "End") return cards.at(-1);
  if (key === "ArrowRight") return cards[from + 1];
  if (key === "ArrowLeft") return cards[from - 1];
  const step = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;

  // Rows that are out of sight are not laid out: their photos have places only when asked for.
  const middle = (card: HTMLElement) => {
    const { left, width } = card.getBoundingClientRect();
    return left + width / 2;
  };
  const rowOf = (card: HTMLElement | undefined) => card?.parentElement;
  const start = cards[from]!;
  let first = from;
  while (cards[first] && rowOf(cards[first]) === rowOf(start)) first += step;
  let best = cards[first];
  for (let i = first; cards[i] && rowOf(cards[i]) === rowOf(best); i += step) {
    const distance = (card: HTMLElement) => Math.abs(middle(card) - middle(start));
    if (distance(cards[i]!) < distance(best!)) best = cards[i];
  }
  return best;
}
