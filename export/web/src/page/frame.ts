/** What a page in a notebook's frame and the widget around it say to each other: README.md, "In a notebook". */

import type { Place } from "./hash.ts";

const MARK = "utsuroi"; // of our messages among others

export type ToWidget =
  | { readonly type: "place"; readonly place: Place }
  | { readonly type: "saved"; readonly name: string }
  | { readonly type: "engine"; readonly request: unknown };

export type ToPage =
  | { readonly type: "place"; readonly place: Place }
  | { readonly type: "engine"; readonly reply: unknown };

interface Envelope<Message> {
  readonly [MARK]: Message;
  readonly buffers: readonly ArrayBuffer[];
}

export function tell(message: ToWidget, buffers: readonly ArrayBuffer[] = []): void {
  const envelope: Envelope<ToWidget> = { [MARK]: message, buffers };
  window.parent.postMessage(envelope, "*", [...buffers]);
}

/** Take on the colours of a notebook, which may be others than those of the system. */
export function dress(theme: "dark" | "light"): void {
  document.documentElement.style.colorScheme = theme;
  for (const { cssRules } of document.styleSheets) {
    for (const rule of cssRules) {
      const isDark = rule instanceof CSSMediaRule && rule.media.mediaText === "(prefers-color-scheme: dark)";
      if (isDark) rule.media.mediaText = theme === "dark" ? "all" : "not all";
    }
  }
}

/** Hear what the widget says; nobody else is listened to. */
export function hear(listener: (message: ToPage, buffers: readonly ArrayBuffer[]) => void): void {
  window.addEventListener("message", ({ source, data }: MessageEvent<Partial<Envelope<ToPage>> | null>) => {
    const message = data?.[MARK];
    if (source === window.parent && message !== undefined) listener(message, data?.buffers ?? []);
  });
}
