const EDGE = 56; // px from the top or the foot of the window
const FASTEST = 24; // px a frame
const TREMBLE = 10; // px that are no move yet

type Pointer = { clientX: number; clientY: number };

/**
 * Follow a pointer that is dragged, with a step for each move: near an edge of the window the page
 * scrolls on beneath it, which is a move too. Returns what is to be told of its moves, and its end.
 */
export function followPointer(start: Pointer, step: (x: number, y: number) => void) {
  let { clientX: x, clientY: y } = start;
  let hasMoved = false;
  const beyond = () => Math.min(0, y - EDGE) + Math.max(0, y - innerHeight + EDGE);
  let frame = requestAnimationFrame(function run() {
    const by = Math.max(-1, Math.min(1, beyond() / EDGE)) * FASTEST;
    if (by && hasMoved) {
      scrollBy({ top: by, behavior: "instant" });
      step(x, y);
    }
    frame = requestAnimationFrame(run);
  });
  return {
    move({ clientX, clientY }: Pointer) {
      x = clientX;
      y = clientY;
      hasMoved ||= Math.hypot(x - start.clientX, y - start.clientY) > TREMBLE;
      step(x, y);
    },
    end: () => cancelAnimationFrame(frame),
  };
}
