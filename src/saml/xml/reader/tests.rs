use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn read(xml: &str) -> Result<Element, XmlError> {
    parse(xml.as_bytes(), &Limits::MESSAGE)
}

#[test]
fn names_are_resolved_and_text_is_joined() {
    let root = read("<a:r xmlns:a='urn:a' xmlns='urn:d' x='1 &amp; 2'>one<![CDATA[ & ]]>two<b/></a:r>").unwrap();

    assert!(root.is("urn:a", "r"));
    assert_eq!(root.attribute("x"), Some("1 & 2"));
    assert_eq!(root.text(), "one & two");
    assert!(root.child("urn:d", "b").is_some());
}

#[test]
fn what_attacks_need_is_refused() {
    for (xml, want) in [
        ("<!DOCTYPE a><a/>", "DOCTYPE"),
        ("<a>&x;</a>", "entity"),
        ("<?xml-stylesheet href='x'?><a/>", "processing instruction"),
        ("<a>b<!-- -->c</a>", "comment"),
        ("<a b='&x;'/>", "entity"),
        ("<a><b></a></b>", "well-formed"),
        ("<a/><b/>", "second root"),
        ("<a>", "ends before"),
        ("<a b='1' b='2'/>", "well-formed"),
        ("<p:a/>", "not declared"),
        ("<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>", "twice"),
        ("<a>\u{1}</a>", "not allowed"),
        ("<a>&#0;</a>", "names no character"),
        ("text<a/>", "outside the root"),
        ("<a/>text", "outside the root"),
        ("<a b='<'/>", "well-formed"),
        ("", "no element"),
        ("<a xmlns:b=''/>", "namespace declaration"),
        ("<a xmlns:xml='urn:x'/>", "namespace declaration"),
        ("<a xmlns:b='http://www.w3.org/2000/xmlns/'/>", "namespace declaration"),
        ("<a xmlns:xmlns='urn:x'/>", "namespace declaration"),
        ("<a b='1' b='2'/>", "well-formed"),
        ("<a:b:c xmlns:a='u'/>", "not a name"),
        ("<:a/>", "not a name"),
        ("<a b/>", "well-formed"),
        ("<a b=1/>", "well-formed"),
        ("<a>]]></a>", "]]>"),
        ("<a><![CDATA[x]]>", "ends before"),
        ("<![CDATA[x]]><a/>", "outside the root"),
        ("<a/>&lt;", "outside the root"),
        ("<a/><!-- --><b/>", "second root"),
        ("<a/><?xml version='1.0'?>", "declaration"),
        ("<!-- --><?xml version='1.0'?><a/>", "declaration"),
        ("<?xml version='1.0'?><?xml version='1.0'?><a/>", "declaration"),
        ("<?xml version='2.0'?><a/>", "version"),
        ("<a><!-- -- --></a>", "well-formed"),
        ("<a>&#xD800;</a>", "names no character"),
        ("<a>&#+65;</a>", "names no character"),
        ("<a>&#xFFFE;</a>", "names no character"),
        ("<a>\u{ffff}</a>", "not allowed"),
        ("<a b='\u{1}'/>", "not allowed"),
        ("<a>& b</a>", "well-formed"),
        ("<a b='& c'/>", "without an end"),
        ("</a>", "well-formed"),
    ] {
        let error = read(xml).expect_err(xml).to_string();
        assert!(error.contains(want), "{xml}: {error}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    assert!(matches!(read(&deep), Err(XmlError::TooMuch { .. })));
    let wide = format!("<a>{}</a>", "<b/>".repeat(4_001));
    assert!(matches!(read(&wide), Err(XmlError::TooMuch { .. })));
    let long = format!("<a>{}</a>", "x".repeat(300_000));
    assert!(matches!(read(&long), Err(XmlError::TooMuch { .. })));
}

#[test]
fn utf16_and_latin1_are_read() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>é</a>";
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(parse(&bytes, &Limits::MESSAGE).unwrap().text(), "é");
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>";
    assert_eq!(parse(latin, &Limits::MESSAGE).unwrap().text(), "é");
    assert!(parse(b"<a>\xe9</a>", &Limits::MESSAGE).is_err());
}

#[test]
fn comments_between_elements_are_dropped() {
    let root = read("<!-- hello --><a> <!-- x --> <b/></a>").unwrap();
    assert_eq!(root.elements().count(), 1);
    assert_eq!(root.text(), "");
}

#[test]
fn comments_outside_the_root_are_dropped() {
    assert!(read("<?xml version='1.0'?><!-- a --><a/><!-- b -->\n<!-- c -->").is_ok());
}

#[test]
fn a_comment_is_refused_only_where_the_same_element_holds_text() {
    assert!(read("<a><b>x</b><!-- c --><b>y</b></a>").is_ok());
    assert!(read("<a><!-- c --></a>").is_ok());
    for xml in [
        "<a>x<!-- c --></a>",
        "<a><!-- c -->x</a>",
        "<a><b/>x<b/><!-- c --></a>",
        "<a>x<b/><!-- c --></a>",
        "<a><!-- c --><![CDATA[x]]></a>",
    ] {
        assert_eq!(read(xml), Err(XmlError::CommentInText { line: 1 }), "{xml}");
        assert!(parse(xml.as_bytes(), &Limits::METADATA).is_ok());
    }
    assert_eq!(parse(b"<a>x<!-- c -->y</a>", &Limits::METADATA).unwrap().text(), "xy");
}

#[test]
fn line_ends_and_white_space_in_attributes_are_normalised() {
    let root = read("<a b='1\r\n2\r3\t4&#13;&#10;5'>x\r\ny\rz&#13;</a>").unwrap();
    assert_eq!(root.attribute("b"), Some("1 2 3 4\r\n5"));
    assert_eq!(root.children, [Node::Text("x\ny\nz\r".to_owned())]);
}

#[test]
fn namespaces_end_with_their_element() {
    let root = read("<a xmlns='urn:a' xmlns:p='urn:p'><b xmlns='' xmlns:p='urn:q'><p:c/></b><p:d/></a>").unwrap();
    let b = root.child("", "b").or(root.elements().next()).unwrap();
    assert_eq!(b.namespace, None);
    assert!(b.elements().next().unwrap().is("urn:q", "c"));
    assert!(root.elements().nth(1).unwrap().is("urn:p", "d"));
    assert!(read("<a><b xmlns:p='u'/><p:c/></a>").is_err());
    // The prefix xml needs no declaration.
    assert_eq!(read("<a xml:lang='en'/>").unwrap().attribute_ns(crate::saml::names::ns::XML, "lang"), Some("en"));
}

#[test]
fn declarations_in_force_are_bounded() {
    let level = |n: usize| {
        let declarations: Vec<String> = (0..50).map(|m| format!("xmlns:p{n}-{m}='u'")).collect();
        format!("<a {}>", declarations.join(" "))
    };
    let nested = |levels: usize| (0..levels).map(level).collect::<String>() + &"</a>".repeat(levels);
    assert!(read(&nested(5)).is_ok());
    assert!(matches!(read(&nested(6)), Err(XmlError::TooMuch { what: "namespace declarations in force", .. })));
}

#[test]
fn one_long_tag_or_text_is_refused_before_it_is_held() {
    let long = format!("<a b='{}'/>", "x".repeat(140_000));
    assert!(matches!(read(&long), Err(XmlError::TooMuch { what: "bytes in one tag or text", .. })));
    let mut puller = Puller::new(std::io::Cursor::new(long.into_bytes()), Limits::MESSAGE).unwrap();
    assert!(matches!(puller.next(), Err(XmlError::TooMuch { what: "bytes in one tag or text", .. })));
}

#[test]
fn a_stream_without_an_end_stops_at_the_bound() {
    let endless = std::io::Read::chain(std::io::Cursor::new(b"<a>".to_vec()), std::io::repeat(b' '));
    let mut puller = Puller::new(endless, Limits { token: u64::MAX, ..Limits::MESSAGE }).unwrap();
    assert!(matches!(puller.next(), Ok(Event::Start(_))));
    let error = loop {
        match puller.next() {
            Ok(Event::Text(_)) => {}
            other => break other.unwrap_err(),
        }
    };
    assert!(matches!(error, XmlError::TooMuch { what: "bytes in the document", .. }), "{error}");
}

#[test]
fn an_element_can_be_skipped() {
    let xml = b"<a><b><c/>x<d/></b><e/><f/></a>".to_vec();
    let mut puller = Puller::new(std::io::Cursor::new(xml), Limits::METADATA).unwrap();
    let mut names = Vec::new();
    loop {
        match puller.next().unwrap() {
            Event::Start(tag) => {
                names.push(tag.local.clone());
                if tag.local != "a" {
                    puller.skip_element().unwrap();
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(names, ["a", "b", "e", "f"]);
}

#[test]
fn utf8_that_is_labelled_utf16_is_read() {
    assert_eq!(parse("<?xml version=\"1.0\" encoding=\"utf-16\"?><a>é</a>".as_bytes(), &Limits::MESSAGE).unwrap().text(), "é");
    assert!(parse(b"<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>", &Limits::MESSAGE).is_err());
    assert!(parse(b"\xff\xfe<", &Limits::MESSAGE).is_err());
    assert!(parse(b"\xff\xfe<\0a\0/\0>\0\0\xd8", &Limits::MESSAGE).is_err());
}

#[test]
fn elements_know_their_line() {
    let root = read("<a>\n<b\n x='1'/>\n<c/></a>").unwrap();
    let lines: Vec<u32> = root.elements().map(|element| element.line).collect();
    assert_eq!((root.line, lines), (1, vec![3, 4]));
    assert_eq!(
        read("<a>\n\n</b>"),
        Err(XmlError::NotWellFormed { line: 3, what: read("<a></b>").unwrap_err().to_string().split_once(": ").unwrap().1.to_owned() })
    );
}

/// The same document, but as a stream.
fn streamed(document: &[u8], limits: &Limits) -> Result<Element, XmlError> {
    whole_document(&mut Puller::new(std::io::Cursor::new(document.to_vec()), *limits)?, limits)
}

/// Files of the corpus with what to expect of them, where it is at hand.
fn corpus() -> Vec<(String, String, Vec<u8>)> {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where the corpus is")]
    let path = std::env::var_os("LINKSPAN_CORPUS").map(PathBuf::from);
    let path = path.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    let Ok(manifest) = fs::read_to_string(path.join("manifest.tsv")) else {
        println!("skipped: no corpus at {}", path.display());
        return Vec::new();
    };
    let mut files = Vec::new();
    for line in manifest.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(file), Some(expectation)) = (columns.next(), columns.nth(3)) else { continue };
        files.push((file.to_owned(), expectation.to_owned(), fs::read(path.join(file)).unwrap()));
    }
    files
}

#[test]
fn real_documents_are_read_in_both_ways_alike() {
    for (file, expectation, content) in corpus().into_iter().filter(|(file, ..)| file.ends_with(".xml")) {
        let limits = if file.starts_with("requests/") { Limits::MESSAGE } else { Limits { elements: 2_000_000, ..Limits::AGGREGATE } };
        let tree = parse(&content, &limits);

        assert_eq!(tree, streamed(&content, &limits), "{file}");
        match expectation.as_str() {
            "refuse(doctype)" => assert!(matches!(tree, Err(XmlError::Doctype { .. })), "{file}: {tree:?}"),
            "refuse(not-well-formed)" => assert!(matches!(tree, Err(XmlError::NotWellFormed { .. })), "{file}: {tree:?}"),
            "refuse(not-metadata)" => {}
            _ => assert!(tree.is_ok(), "{file}: {:?}", tree.err()),
        }
    }
}

const PIECES: [&str; 34] = [
    "<a>",
    "</a>",
    "<a/>",
    "<p:a xmlns:p='urn:p'>",
    "</p:a>",
    "<a xmlns='urn:d' b='1' c=\"2\">",
    "text",
    " ",
    "\n",
    "\r\n",
    "&amp;",
    "&#65;",
    "&#x41;",
    "&x;",
    "&",
    ";",
    "<",
    ">",
    "<!--",
    "-->",
    "<!-- c -->",
    "<![CDATA[",
    "]]>",
    "<?xml version='1.0'?>",
    "<?pi?>",
    "<!DOCTYPE a>",
    "'",
    "\"",
    "=",
    "/",
    "\u{feff}",
    "é",
    "\u{1}",
    "\0",
];

fn pieces() -> impl Strategy<Value = String> {
    proptest::collection::vec(0..PIECES.len(), 0..16).prop_map(|indices| indices.into_iter().map(|index| PIECES[index]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_makes_it_panic_and_both_ways_agree(document in pieces()) {
        let tree = read(&document);
        let again = streamed(document.as_bytes(), &Limits::MESSAGE);
        prop_assert_eq!(tree.is_ok(), again.is_ok());
        if let (Ok(tree), Ok(again)) = (tree, again) {
            prop_assert_eq!(&tree, &again);
            // What was read once is read the same again.
            let written = crate::saml::xml::writer::serialize(&tree);
            let mut reread = read(&written).unwrap();
            forget_lines(&mut reread);
            let mut tree = tree;
            forget_lines(&mut tree);
            prop_assert_eq!(reread, tree);
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_make_it_panic(document in proptest::collection::vec(any::<u8>(), 0..64), mark in 0..4usize) {
        let marks: [&[u8]; 4] = [b"", b"\xff\xfe", b"\xfe\xff", b"<?xml version='1.0' encoding='latin1'?>"];
        let document = [marks[mark], &document].concat();
        prop_assert_eq!(parse(&document, &Limits::MESSAGE).is_ok(), streamed(&document, &Limits::MESSAGE).is_ok());
    }

    #[test]
    fn a_damaged_message_does_not_make_it_panic(at in 0..2_000usize, length in 0..6usize, piece in pieces()) {
        let mut document = MESSAGE.as_bytes().to_vec();
        let at = at % document.len();
        let to = (at + length).min(document.len());
        document.splice(at..to, piece.bytes());
        prop_assert_eq!(parse(&document, &Limits::MESSAGE).is_ok(), streamed(&document, &Limits::MESSAGE).is_ok());
    }
}

const MESSAGE: &str = "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_1\" Version=\"2.0\">\
    <saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://sp.example.com/?a=1&amp;b=2</saml:Issuer>\
    <!-- c --><samlp:NameIDPolicy AllowCreate='true'/><samlp:Scoping><x>&#x41;<![CDATA[<]]></x></samlp:Scoping></samlp:AuthnRequest>";

fn forget_lines(element: &mut Element) {
    element.line = 0;
    for child in &mut element.children {
        if let Node::Element(child) = child {
            forget_lines(child);
        }
    }
}
