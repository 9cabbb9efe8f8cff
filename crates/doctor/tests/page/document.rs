//! A page as a browser reads it: parsed by the algorithm of the HTML standard, and asked for its elements.

use html5ever::driver::ParseOpts;
use html5ever::parse_document;
use html5ever::tendril::TendrilSink as _;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// A page that was parsed.
pub(crate) struct Document {
    dom: RcDom,
}

/// An element with its attributes.
#[derive(Clone)]
pub(crate) struct Element {
    handle: Handle,
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Document {
    pub(crate) fn parse(page: &str) -> Self {
        Self { dom: parse_document(RcDom::default(), ParseOpts::default()).one(page) }
    }

    /// What the standard calls parse errors.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.dom.errors.borrow().iter().map(ToString::to_string).collect()
    }

    /// All elements, in the order of the document.
    pub(crate) fn elements(&self) -> Vec<Element> {
        let mut found = Vec::new();
        collect(&self.dom.document, &mut found);
        found
    }

    /// The elements with a class.
    pub(crate) fn with_class(&self, class: &str) -> Vec<Element> {
        self.elements().into_iter().filter(|element| element.has_class(class)).collect()
    }

    /// The elements of a name.
    pub(crate) fn named(&self, name: &str) -> Vec<Element> {
        self.elements().into_iter().filter(|element| element.name == name).collect()
    }

    /// The element with an id.
    pub(crate) fn with_id(&self, id: &str) -> Option<Element> {
        self.elements().into_iter().find(|element| element.attribute("id") == Some(id))
    }

    /// The names and attributes of all elements and how they are nested, without any text.
    pub(crate) fn skeleton(&self) -> String {
        let mut skeleton = String::new();
        write_skeleton(&self.dom.document, &mut skeleton);
        skeleton
    }

    /// All that stands between tags.
    pub(crate) fn text(&self) -> String {
        text_of(&self.dom.document)
    }
}

impl Element {
    fn of(handle: &Handle) -> Option<Self> {
        let NodeData::Element { name, attrs, .. } = &handle.data else { return None };
        let attributes = attrs.borrow();
        let attributes = attributes.iter().map(|one| (one.name.local.to_string(), one.value.to_string()));
        Some(Self { handle: handle.clone(), name: name.local.to_string(), attributes: attributes.collect() })
    }

    pub(crate) fn attribute(&self, wanted: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    pub(crate) fn has_class(&self, wanted: &str) -> bool {
        self.attribute("class").is_some_and(|classes| classes.split(' ').any(|class| class == wanted))
    }

    /// The text in it.
    pub(crate) fn text(&self) -> String {
        text_of(&self.handle)
    }

    /// The elements in it that have a class.
    pub(crate) fn with_class(&self, class: &str) -> Vec<Self> {
        let mut found = Vec::new();
        collect(&self.handle, &mut found);
        found.into_iter().skip(1).filter(|element| element.has_class(class)).collect()
    }
}

fn collect(handle: &Handle, found: &mut Vec<Element>) {
    found.extend(Element::of(handle));
    handle.children.borrow().iter().for_each(|child| collect(child, found));
}

fn text_of(handle: &Handle) -> String {
    if let NodeData::Text { contents } = &handle.data {
        return contents.borrow().to_string();
    }
    handle.children.borrow().iter().map(text_of).collect()
}

fn write_skeleton(handle: &Handle, skeleton: &mut String) {
    match (Element::of(handle), &handle.data) {
        (Some(element), _) => skeleton.push_str(&format!("<{} {:?}>", element.name, element.attributes)),
        (None, NodeData::Text { .. }) => return,
        (None, other) => skeleton.push_str(&format!("{other:?}")),
    }
    handle.children.borrow().iter().for_each(|child| write_skeleton(child, skeleton));
    skeleton.push('.');
}
