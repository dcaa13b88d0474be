// What the build calls for each JSX element; no other file imports it.
export { Fragment, h } from "preact";
