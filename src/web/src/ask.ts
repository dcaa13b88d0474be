// One question to the server. What goes wrong is a sentence.
import { sentence, UNREACHABLE } from "./stream.ts";

export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Asks, and reads the JSON of the answer. Throws `Refusal`, or what an abort throws. */
export async function ask<T>(path: string, options: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal(0, `${UNREACHABLE} Start \`ccsession dashboard\` and open the address that it prints.`);
  }
  if (!answer.ok) throw new Refusal(answer.status, await sentence(answer));
  try {
    return (await answer.json()) as T;
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal(0, "The answer of the server broke off. Try again.");
  }
}

/** What to tell a person of an error. */
export function sentenceOf(error: unknown): string {
  return error instanceof Refusal ? error.message : "Something in this page went wrong. Load it again.";
}
