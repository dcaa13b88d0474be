// What the build puts in place of elements; no other file imports it.
export { Fragment, h } from "preact";
