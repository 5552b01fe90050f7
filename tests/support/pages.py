"""Pages of HTML as a test reads them."""

import html.parser


class Elements(html.parser.HTMLParser):
    """Names of elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.inside = [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & {*self.inside}:
            self.text += data
