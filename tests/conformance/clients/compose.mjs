// @apollo/composition makes a supergraph of this subgraph and another one that refers to its subjects.
// Standard input: {"url", "sdl"}; standard output: {"supergraph", "errors", "hints"}.

import { composeSubgraphs, input, told } from "./federation.mjs";

const { url, sdl } = await input();
const { supergraphSdl, errors = [], hints = [] } = composeSubgraphs(url, sdl);
told({ supergraph: supergraphSdl, errors: errors.map(String), hints: hints.map(String) });
