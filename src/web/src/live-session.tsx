// The page of a session in the dashboard. It is a separate file, because the picture needs much code.
import { LiveSession, shownTitle } from "./components/live-session.tsx";
import { show, Unknown } from "./components/shell.tsx";
import { place } from "./place.ts";

function View() {
  const now = place.value;
  if (now.view === "session") return <LiveSession key={now.id} id={now.id} />;
  return <Unknown text={now.view === "unknown" ? now.text : ""} />;
}

show(
  () => <View />,
  () => `${shownTitle.value ?? "Session"} · ccsession`,
);
