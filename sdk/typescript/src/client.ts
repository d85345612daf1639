import { Executions } from "./executions.js";
import { type FlowMaestroClientOptions, resolveOptions } from "./options.js";
import { Connector } from "./requests/connector.js";
import { Workflows } from "./workflows.js";

/**
 * A client of a FlowMaestro server. It holds no connections: make one and share it.
 *
 * Every method throws {@link APIError} for an error of the server's, {@link TransportError} when
 * there is no answer, and {@link UnexpectedResponse} when something else answers.
 */
export class FlowMaestroClient {
  readonly workflows: Workflows;
  readonly executions: Executions;
  /** Where the API begins, its version included. */
  readonly baseUrl: string;

  /** @throws {@link ConfigurationError} no API key is given or set, or a value cannot be used. */
  constructor(options: FlowMaestroClientOptions = {}) {
    const connector = new Connector(resolveOptions(options));
    this.workflows = new Workflows(connector);
    this.executions = new Executions(connector);
    this.baseUrl = connector.options.baseUrl;
  }
}
