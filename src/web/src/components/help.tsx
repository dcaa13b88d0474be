// The list of keys, and a switch for those that are single characters.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

const NAME = "ccsession-keys";

function kept(): boolean {
  try {
    return localStorage.getItem(NAME) !== "off";
  } catch {
    return true;
  }
}

/** Whether single characters act as keys. People who dictate text turn this off. */
export const keysOn = signal(kept());
export const helpOpen = signal(false);

const KEYS: [string, string[], string][] = [
  ["Everywhere", ["g b"], "the board"],
  ["", ["g a"], "all sessions"],
  ["", ["g s"], "search"],
  ["", ["/"], "search or filter this page"],
  ["", ["?"], "this list"],
  ["Board", ["↑", "↓", "j", "k"], "within a column"],
  ["", ["←", "→", "h", "l"], "to another column"],
  ["", ["Home", "End"], "first or last card of a column"],
  ["", ["Enter"], "open the session"],
  ["", ["c"], "clock out, after confirmation"],
  ["All sessions", ["↑", "↓", "j", "k"], "from row to row"],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = helpOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  const set = (on: boolean) => {
    keysOn.value = on;
    try {
      localStorage.setItem(NAME, on ? "on" : "off");
    } catch {
      // Without storage, the choice holds until the page is closed.
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      {isOpen && (
        <>
          <h2 id="help-title">Keys</h2>
          <table class="keys">
            <tbody>
              {KEYS.map(([part, keys, what]) => (
                <tr key={`${keys} ${what}`} class={part ? "first" : ""}>
                  {part ? <th scope="row">{part}</th> : <td />}
                  <td>
                    {keys.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </td>
                  <td>{what}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p>
            <label>
              <input type="checkbox" checked={keysOn.value} onChange={(event) => set(event.currentTarget.checked)} /> Use single-character keys
            </label>
          </p>
          <div class="buttons">
            <button type="button" class="primary" autofocus onClick={() => dialog.current?.close()}>
              Close
            </button>
          </div>
        </>
      )}
    </dialog>
  );
}
