// A component that is drawn again only if its properties differ.
import { h, type Component, type ComponentType, type VNode } from "preact";

function same(one: object, other: object): boolean {
  const [before, after] = [Object.entries(one), other as Record<string, unknown>];
  return before.length === Object.keys(after).length && before.every(([name, value]) => name in after && after[name] === value);
}

/** Returns a component that is not drawn again while `isSame` holds for its properties. */
export function memo<P extends object>(component: (props: P) => VNode | null, isSame: (one: P, other: P) => boolean = same): ComponentType<P> {
  function Kept(this: Component<P>, props: P) {
    this.shouldComponentUpdate = (next) => !isSame(this.props as P, next as P);
    return h(component as ComponentType<P>, props);
  }
  return Kept as unknown as ComponentType<P>;
}
