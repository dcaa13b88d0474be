// Light, dark, or as the system has it.
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const NAME = "ccsession-theme";

function kept(): Theme {
  try {
    const value = localStorage.getItem(NAME);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    // A page from a file may have no storage.
    return "system";
  }
}

export const theme = signal<Theme>(kept());

/** Increases when the colours change: by the switch, by the system, or for print. Pictures are then drawn again. */
export const colours = signal(0);

for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", () => colours.value++);
}

/** Returns whether the page is printed. A component that calls this is drawn again when the answer changes. */
export const isPrinted = () => colours.value >= 0 && matchMedia("print").matches;

function apply(to: Theme) {
  if (to === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", to);
}

apply(theme.peek());

export function ThemeSwitch() {
  const choose = (to: Theme) => {
    apply(to);
    theme.value = to;
    colours.value++;
    try {
      localStorage.setItem(NAME, to);
    } catch {
      // Without storage, the choice holds until the page is closed.
    }
  };
  return (
    <label class="theme">
      <span>Theme</span>
      <select aria-label="Theme" value={theme.value} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        <option value="system">system</option>
        <option value="light">light</option>
        <option value="dark">dark</option>
      </select>
    </label>
  );
}
