import { createContext, useContext, useSyncExternalStore } from "react";
import type { NodeView } from "../run/node-view.js";
import type { Player, PlayerState } from "./player.js";

const PlayerContext = createContext<Player | null>(null);

export const PlayerProvider = PlayerContext.Provider;

/** The player of the page. */
export function usePlayer(): Player {
  const player = useContext(PlayerContext);
  if (player === null) throw new Error("There is no player around this component.");
  return player;
}

export function usePlayerState(): PlayerState {
  const player = usePlayer();
  return useSyncExternalStore(player.subscribe, player.getState);
}

/** One node as it is shown; renders anew only when that node changes. */
export function useNode(id: string): NodeView | undefined {
  const player = usePlayer();
  return useSyncExternalStore(player.subscribe, () => player.node(id));
}
