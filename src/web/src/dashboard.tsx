// The dashboard: the board, all sessions, a comparison, and search. The page of a session is `live-session.tsx`.
import { AllSessions } from "./components/all-sessions.tsx";
import { Board } from "./components/board.tsx";
import { Compare } from "./components/compare.tsx";
import { Search } from "./components/search.tsx";
import { show, Unknown, VIEWS } from "./components/shell.tsx";
import { place } from "./place.ts";

function View() {
  const now = place.value;
  switch (now.view) {
    case "board":
      return <Board />;
    case "all":
      return <AllSessions place={now} />;
    case "compare":
      return <Compare key={`${now.one} ${now.other}`} one={now.one} other={now.other} />;
    case "search":
      return <Search place={now} />;
    case "session":
      // The browser is loading the page of the session.
      return null;
    case "unknown":
      return <Unknown text={now.text} />;
  }
}

show(
  () => <View />,
  () => {
    const { view } = place.value;
    const name = view === "compare" ? "Compare" : VIEWS.find((one) => one.view === view)?.name;
    return view === "board" || !name ? "ccsession" : `${name} · ccsession`;
  },
);
