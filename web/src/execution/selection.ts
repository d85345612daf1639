/** What the reader has chosen to see in detail. */
export type Selection =
  | { readonly kind: "node"; readonly id: string }
  /** By its place in the recording, from 0. */
  | { readonly kind: "event"; readonly index: number };

export type Select = (selection: Selection | null) => void;
