// Cuts a text at its matches, whose places count Unicode characters. Pure.

export interface Piece {
  text: string;
  isMatch: boolean;
}

export function marked(text: string, matches: [number, number][]): Piece[] {
  const characters = Array.from(text);
  const pieces: Piece[] = [];
  let at = 0;
  const add = (to: number, isMatch: boolean) => {
    if (to > at) pieces.push({ text: characters.slice(at, to).join(""), isMatch });
    at = Math.max(at, to);
  };
  for (const [from, to] of [...matches].sort((one, other) => one[0] - other[0])) {
    add(Math.min(from, characters.length), false);
    add(Math.min(to, characters.length), true);
  }
  add(characters.length, false);
  return pieces;
}
