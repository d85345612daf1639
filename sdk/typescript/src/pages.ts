import type { Pagination } from "./models.js";

/**
 * One page of a listing, newest first.
 *
 * `items` are this page's own. Iterating over the page with `for await` yields them and then those
 * of all later pages, which are fetched when they are reached. An item that moves to a later page
 * meanwhile, because something newer came, is not yielded twice. Fetching throws what `list` throws.
 */
export class Page<Item extends { readonly id: string }> implements AsyncIterable<Item> {
  readonly items: readonly Item[];
  readonly pagination: Pagination;
  readonly #fetchPage: (page: number) => Promise<Page<Item>>;

  /** @internal */
  constructor(
    content: { readonly items: readonly Item[]; readonly pagination: Pagination },
    fetchPage: (page: number) => Promise<Page<Item>>,
  ) {
    this.items = content.items;
    this.pagination = content.pagination;
    this.#fetchPage = fetchPage;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    const seen = new Set<string>();
    let page: Page<Item> = this;
    while (true) {
      for (const item of page.items) {
        if (seen.has(item.id)) continue;
        seen.add(item.id);
        yield item;
      }
      if (!page.pagination.has_next) return;
      page = await this.#fetchPage(page.pagination.page + 1);
    }
  }
}
