// Sends one request to the server. Errors are sentences for people.
import { sentence, UNREACHABLE } from "./stream.ts";

export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Sends a request and returns the answer's JSON. Throws `Refusal`, or the abort's error. */
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
    throw new Refusal(0, "The server's answer was cut short. Try again.");
  }
}

/** Returns the sentence that tells a person about an error. */
export function sentenceOf(error: unknown): string {
  return error instanceof Refusal ? error.message : "Something in this page went wrong. Reload it.";
}
