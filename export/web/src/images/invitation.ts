/** What stands in the place of images before there are any: how to bring some. */
import type { Host } from "../mode.ts";
import { element } from "../page/dom.ts";
import { icon } from "../page/icons.ts";

export const IMAGES = "image/*";

/** The words of the mode's texts `invite` and `choose`. */
export function invitation(host: Host, values: Readonly<Record<string, number>> = {}): HTMLElement {
  const button = element("button", { type: "button" }, host.text("choose"));
  button.addEventListener("click", () => host.openFiles(IMAGES));
  return element("div", { class: "invitation" }, icon("image"), element("p", {}, host.text("invite", values)), button);
}
