// Clocks a session out: the only change that the dashboard makes, and only after a confirmation.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask, sentenceOf } from "../ask.ts";
import { nameOf, type Row } from "../rows.ts";
import { Text } from "./parts.tsx";

type Asked = Pick<Row, "session_id" | "title" | "state">;

const asked = signal<Asked | null>(null);

/** Opens the dialog that asks for confirmation. */
export function askClockOut(session: Asked): void {
  asked.value = session;
}

type Progress = { is: "asking" } | { is: "working" } | { is: "done"; path: string } | { is: "failed"; why: string };

const progress = signal<Progress>({ is: "asking" });

async function clockOut(id: string): Promise<void> {
  progress.value = { is: "working" };
  try {
    const answer = await ask<{ text: string | null; manifest: string }>(`/api/session/${encodeURIComponent(id)}/clock-out`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ confirm: id }),
    });
    progress.value = { is: "done", path: answer.text ?? answer.manifest };
  } catch (error) {
    progress.value = { is: "failed", why: sentenceOf(error) };
  }
}

export function ClockOut() {
  const dialog = useRef<HTMLDialogElement>(null);
  const session = asked.value;
  const now = progress.value;
  useEffect(() => {
    if (!session) return;
    progress.value = { is: "asking" };
    dialog.current?.showModal();
  }, [session]);
  const isLive = session?.state === "active" || session?.state === "idle";
  return (
    <dialog ref={dialog} aria-labelledby="clock-out-title" onClose={() => (asked.value = null)}>
      {session && (
        <>
          <h2 id="clock-out-title">
            Clock out <Text>{nameOf(session)}</Text>?
          </h2>
          <p>
            This writes an archive of the session: its text, its transcripts and its journal, with secrets redacted. Nothing is deleted.
            {isLive && " The session keeps running. To archive what follows, clock out again."}
          </p>
          <p>
            <code class="faint">{session.session_id}</code>
          </p>
          {now.is === "done" && (
            <p role="status" class="good">
              ✓ The archive is written: <code class="path">{now.path}</code>
            </p>
          )}
          {now.is === "failed" && (
            <p role="alert" class="error">
              ✕ {now.why}
            </p>
          )}
          <div class="buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              {now.is === "done" ? "Close" : "Cancel"}
            </button>
            {now.is !== "done" && (
              <button type="button" class="primary" disabled={now.is === "working"} onClick={() => void clockOut(session.session_id)}>
                {now.is === "working" ? "Writing the archive…" : now.is === "failed" ? "Try again" : "Clock out"}
              </button>
            )}
          </div>
        </>
      )}
    </dialog>
  );
}
