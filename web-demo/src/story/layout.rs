//! Where nodes stand on the map: servers in rows, people beside the server that they use, DNS above.
//! Numbers are units of the drawing, not of the screen.

use std::collections::BTreeMap;

/// What a node is, as far as its place depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A mail server.
    Server,
    /// A person's device.
    Device,
    /// Answers questions about names.
    Dns,
    /// Somebody who listens.
    Listener,
}

/// A node to be placed.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its number.
    pub id: u16,
    /// What it is.
    pub kind: Kind,
    /// Mailboxes that it shows.
    pub rows: usize,
}

/// The middle of a node, and its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Spot {
    /// Where a line from here towards there leaves the box.
    #[must_use]
    pub fn edge(&self, to: &Self) -> (f32, f32) {
        let (dx, dy) = (to.x - self.x, to.y - self.y);
        if dx == 0.0 && dy == 0.0 {
            return (self.x, self.y);
        }
        let (half_w, half_h) = (self.w / 2.0 + 4.0, self.h / 2.0 + 4.0);
        let by_x = if dx == 0.0 { f32::INFINITY } else { half_w / dx.abs() };
        let by_y = if dy == 0.0 { f32::INFINITY } else { half_h / dy.abs() };
        let by = by_x.min(by_y);
        (self.x + dx * by, self.y + dy * by)
    }
}

/// The drawing's width.
pub const WIDTH: f32 = 960.0;

/// A map: its height, and a spot for each node.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The drawing's height.
    pub height: f32,
    /// By the node's number.
    pub spots: BTreeMap<u16, Spot>,
}

/// Places nodes; links say which device belongs to which server.
#[must_use]
pub fn place(items: &[Item], links: &[(u16, u16)]) -> Map {
    let of = |kind: Kind| items.iter().filter(move |item| item.kind == kind).map(|item| item.id);
    let joined = |a: u16, b: u16| links.iter().any(|link| *link == (a, b) || *link == (b, a));
    let servers = beside_each_other(of(Kind::Server).collect(), &joined);
    // A device stands with the first server that it has a link to.
    let mut groups: Vec<Vec<u16>> = vec![Vec::new(); servers.len().max(1)];
    for device in of(Kind::Device) {
        let home = servers.iter().position(|server| joined(device, *server)).unwrap_or(0);
        groups[home].push(device);
    }
    let mut spots = BTreeMap::new();
    let dns: Vec<u16> = of(Kind::Dns).collect();
    let row = match across(&dns, 40.0, &mut spots) {
        Some(lowest) => lowest + 106.0,
        None => 80.0,
    };
    let tallest = groups.iter().map(Vec::len).max().unwrap_or(0);
    let bottom = if servers.len() > 2 || tallest > SIDE_MAX || dns.len() > 2 {
        in_rows(items, &servers, &groups, row, &mut spots)
    } else {
        side_by_side(items, &servers, &groups, row, &mut spots)
    };
    let listeners: Vec<u16> = of(Kind::Listener).collect();
    let height = match across(&listeners, bottom + 36.0, &mut spots) {
        Some(lowest) => lowest + 36.0,
        None => bottom + 12.0,
    };
    Map { height, spots }
}

/// Small boxes beside each other, in as many rows as they need. Gives the middle of the last row.
fn across(ids: &[u16], y: f32, spots: &mut BTreeMap<u16, Spot>) -> Option<f32> {
    let mut lowest = None;
    for (line, ids) in ids.chunks(6).enumerate() {
        let y = y + line as f32 * 68.0;
        for (nth, id) in ids.iter().enumerate() {
            let x = WIDTH / 2.0 + middle_out(nth, ids.len()) * 150.0;
            spots.insert(*id, Spot { x, y, w: 120.0, h: 56.0 });
        }
        lowest = Some(y);
    }
    lowest
}

/// How far the nth of so many stands from their middle.
fn middle_out(nth: usize, of: usize) -> f32 {
    nth as f32 - (of as f32 - 1.0) / 2.0
}

/// Servers of which all orders are tried.
const TRIED_MAX: usize = 5;

/// Servers in an order in which those that are joined stand beside each other, so that no line goes over a third; as they
/// came, where there is none.
fn beside_each_other(servers: Vec<u16>, joined: &impl Fn(u16, u16) -> bool) -> Vec<u16> {
    let apart = |order: &[u16]| {
        let far =
            |(at, one): (usize, &u16)| order.iter().skip(at + 2).any(|other| joined(*one, *other));
        order.iter().enumerate().any(far)
    };
    if servers.len() > TRIED_MAX || !apart(&servers) {
        return servers;
    }
    let mut orders = vec![Vec::new()];
    for _ in 0..servers.len() {
        let longer = |order: &Vec<u16>| {
            let rest = servers.iter().filter(|server| !order.contains(server));
            rest.map(|server| [&order[..], &[*server]].concat()).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders.into_iter().find(|order| !apart(order)).unwrap_or(servers)
}

const DEVICE: (f32, f32) = (152.0, 64.0);

/// One or two servers, their devices at their sides. Gives the lowest edge.
fn side_by_side(
    items: &[Item],
    servers: &[u16],
    groups: &[Vec<u16>],
    row: f32,
    spots: &mut BTreeMap<u16, Spot>,
) -> f32 {
    let step = 80.0;
    let tallest = groups.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let spread = (tallest as f32 - 1.0) * step / 2.0;
    let middle: f32 = row.max(spread + 44.0);
    let edge = DEVICE.0 / 2.0 + 8.0;
    let columns: &[(f32, f32)] = match servers.len() {
        0 => &[(WIDTH / 2.0, WIDTH / 2.0)],
        1 => &[(WIDTH * 0.64, WIDTH * 0.24)],
        _ => &[(326.0, edge), (WIDTH - 326.0, WIDTH - edge)],
    };
    for (group, (_, device_x)) in groups.iter().zip(columns) {
        for (nth, device) in group.iter().enumerate() {
            let y = middle + middle_out(nth, group.len()) * step;
            spots.insert(*device, Spot { x: *device_x, y, w: DEVICE.0, h: DEVICE.1 });
        }
    }
    for (server, (x, _)) in servers.iter().zip(columns) {
        spots.insert(*server, Spot { x: *x, y: middle, w: 176.0, h: height_of(items, *server) });
    }
    middle + 56.0_f32.max(spread + DEVICE.1 / 2.0)
}

/// Devices that stand at a server's side; of more, the drawing would be a column.
const SIDE_MAX: usize = 5;
/// Servers in one row: of more, no box would hold its name.
const ROW_MAX: usize = 5;

/// Servers in rows, their devices below them. Gives the lowest edge.
fn in_rows(
    items: &[Item],
    servers: &[u16],
    groups: &[Vec<u16>],
    row: f32,
    spots: &mut BTreeMap<u16, Spot>,
) -> f32 {
    let rows = servers.len().div_ceil(ROW_MAX).max(1);
    let in_row = servers.len().div_ceil(rows).max(1);
    let pitch = WIDTH / in_row as f32;
    let width = 184.0_f32.min(pitch - 28.0);
    let (step, abreast) = (DEVICE.0 + 8.0, (pitch / (DEVICE.0 + 8.0)) as usize);
    let mut bottom = row - 96.0;
    let mut servers = servers.iter();
    for groups in groups.chunks(in_row) {
        let row = bottom + 96.0;
        bottom = row + 56.0;
        for (at, group) in groups.iter().enumerate() {
            let x = pitch * (at as f32 + 0.5);
            if let Some(server) = servers.next() {
                let h = height_of(items, *server);
                spots.insert(*server, Spot { x, y: row, w: width, h });
            }
            for (line, devices) in group.chunks(abreast).enumerate() {
                let y = row + 56.0 + 22.0 + DEVICE.1 / 2.0 + line as f32 * 72.0;
                for (nth, device) in devices.iter().enumerate() {
                    let x = x + middle_out(nth, devices.len()) * step;
                    spots.insert(*device, Spot { x, y, w: DEVICE.0, h: DEVICE.1 });
                }
                bottom = bottom.max(y + DEVICE.1 / 2.0);
            }
        }
    }
    bottom
}

/// The same for a narrow screen: from top to bottom.
#[must_use]
pub fn place_tall(items: &[Item], links: &[(u16, u16)]) -> Map {
    let of = |kind: Kind| items.iter().filter(move |item| item.kind == kind).map(|item| item.id);
    let joined = |a: u16, b: u16| links.iter().any(|link| *link == (a, b) || *link == (b, a));
    let servers = beside_each_other(of(Kind::Server).collect(), &joined);
    let home = |device: u16| servers.iter().position(|server| joined(device, *server)).unwrap_or(0);
    let last = servers.len().saturating_sub(1);
    // The first server's devices stand above it, the last one's below, and those of others beside them: so no line goes
    // through a box.
    let at_home =
        |at: usize| -> Vec<u16> { of(Kind::Device).filter(|device| home(*device) == at).collect() };
    let above = if last > 0 { at_home(0) } else { Vec::new() };
    let mut spots = BTreeMap::new();
    let mut y = 8.0;
    let mut row = |devices: &[u16], y: &mut f32| {
        for pair in devices.chunks(3) {
            let share = TALL_WIDTH / pair.len() as f32;
            for (nth, device) in pair.iter().enumerate() {
                let w = 156.0_f32.min(share - 8.0);
                let x = share * (nth as f32 + 0.5);
                spots.insert(*device, Spot { x, y: *y + 32.0, w, h: 64.0 });
            }
            *y += 104.0;
        }
    };
    row(&above, &mut y);
    let top = y;
    let mut middles = Vec::new();
    let mut beside = Vec::new();
    for at in 0..servers.len() {
        let devices = if at > 0 && at < last { at_home(at) } else { Vec::new() };
        let high = TALL_PITCH.max(72.0 * devices.len() as f32 + 68.0);
        middles.push(y + (high - 52.0) / 2.0);
        beside.push(devices);
        y += high;
    }
    let others: Vec<u16> = of(Kind::Dns).chain(of(Kind::Listener)).collect();
    // Two stand between servers; of more, or with no servers to stand between, there is a column.
    let column = others.len() > 2 || others.len() > 1 && last == 0;
    if column {
        y = y.max(top + 76.0 * others.len() as f32);
    }
    row(&at_home(last), &mut y);
    let has_beside = beside.iter().any(|devices| !devices.is_empty());
    // Where both are to stand beside servers, there are three columns.
    let three = has_beside && !others.is_empty();
    let (device_x, device_w) = if three { (53.0, 102.0) } else { (TALL_SIDE, 124.0) };
    let (server_x, server_w) = match (three, has_beside || !others.is_empty()) {
        (true, _) => (197.0, 168.0),
        (false, true) => (112.0, 184.0),
        (false, false) => (TALL_WIDTH / 2.0, 184.0),
    };
    let (other_x, other_w) = if three { (334.0, 88.0) } else { (TALL_SIDE, 112.0) };
    for (middle, devices) in middles.iter().zip(&beside) {
        let first = middle - 36.0 * (devices.len() as f32 - 1.0);
        for (nth, device) in devices.iter().enumerate() {
            let y = first + 72.0 * nth as f32;
            spots.insert(*device, Spot { x: device_x, y, w: device_w, h: 64.0 });
        }
    }
    for (server, middle) in servers.iter().zip(&middles) {
        let h = height_of(items, *server);
        spots.insert(*server, Spot { x: server_x, y: *middle, w: server_w, h });
    }
    // Between the first two servers, or beside the only one.
    let between = match middles[..] {
        [] => y + 28.0,
        [one] => one,
        // Three columns leave room beside the middle one.
        [_, other, _] if three => other,
        [one, other, ..] => f32::midpoint(one, other),
    };
    let mut lowest: f32 = y;
    for (nth, other) in others.into_iter().enumerate() {
        let y = if column { top + 36.0 } else { between - 152.0 * nth as f32 } + 76.0 * nth as f32;
        spots.insert(other, Spot { x: other_x, y, w: other_w, h: 56.0 });
        lowest = lowest.max(y + 40.0);
    }
    Map { height: lowest, spots }
}

/// From one server to the next on a narrow screen.
const TALL_PITCH: f32 = 164.0;
/// Where things stand that stand beside servers there.
const TALL_SIDE: f32 = 306.0;

/// The narrow drawing's width.
pub const TALL_WIDTH: f32 = 380.0;

/// As high as its queue and mailboxes need.
fn height_of(items: &[Item], id: u16) -> f32 {
    let rows = items.iter().find(|item| item.id == id).map_or(0, |item| item.rows.min(2));
    68.0 + 22.0 * rows as f32
}

/// As much of a name as a width holds, in letters of this size; how wide they are depends on the reader's font, so it is
/// guessed.
#[must_use]
pub fn shortened(name: &str, width: f32, size: f32) -> String {
    let wide = |c: char| match c {
        'f' | 'i' | 'j' | 'l' | 'r' | 't' | 'I' | '.' | '\'' | '’' | ' ' | '-' => 0.43 * size,
        'm' | 'w' | '@' | 'A'..='Z' => 0.85 * size,
        ' '..='~' => 0.7 * size,
        _ => size,
    };
    if name.chars().map(wide).sum::<f32>() <= width {
        return name.to_owned();
    }
    let mut room = width - size;
    let fits = |c: &char| {
        room -= wide(*c);
        room >= 0.0
    };
    name.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a world is made of, and what is linked with what.
    type World = (&'static [Kind], &'static [(u16, u16)]);

    fn items(kinds: &[Kind]) -> Vec<Item> {
        (0..).zip(kinds).map(|(id, kind)| Item { id, kind: *kind, rows: 2 }).collect()
    }

    #[test]
    fn nothing_overlaps_and_all_is_inside() {
        use Kind::{Device, Dns, Listener, Server};
        let worlds: [World; 5] = [
            (&[Device, Server, Dns, Server, Device], &[(0, 1), (3, 4)]),
            (&[Server, Device, Device, Device], &[(0, 1), (0, 2), (0, 3)]),
            (&[Device, Server, Server, Server, Device, Device, Dns], &[(0, 1), (3, 4), (3, 5)]),
            (&[Device, Server, Server, Device, Listener], &[(0, 1), (2, 3)]),
            (&[Server, Device, Dns, Listener], &[(0, 1)]),
        ];
        for (kinds, links) in worlds {
            for (map, width) in [
                (place(&items(kinds), links), WIDTH),
                (place_tall(&items(kinds), links), TALL_WIDTH),
            ] {
                fits(&map, width, kinds);
            }
        }
    }

    #[test]
    fn a_world_of_any_size_has_room() {
        for servers in 0..=NODES_MAX {
            for dns in 0..=NODES_MAX - servers {
                for listeners in [0, 1, 2, 5, 12] {
                    let devices = NODES_MAX.saturating_sub(servers + dns + listeners);
                    // All devices with one server, with the last one, or with all of them by turns.
                    for home in [0, servers.saturating_sub(1), NODES_MAX] {
                        let kinds = [
                            vec![Kind::Server; servers],
                            vec![Kind::Dns; dns],
                            vec![Kind::Listener; listeners],
                            vec![Kind::Device; devices],
                        ]
                        .concat();
                        let link = |device: usize| {
                            let server = if home == NODES_MAX { device % servers } else { home };
                            ((kinds.len() - devices + device) as u16, server as u16)
                        };
                        let some = if servers > 0 { devices } else { 0 };
                        let links: Vec<(u16, u16)> = (0..some).map(link).collect();
                        fits(&place(&items(&kinds), &links), WIDTH, &kinds);
                        fits(&place_tall(&items(&kinds), &links), TALL_WIDTH, &kinds);
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_ends_where_its_box_does() {
        assert_eq!(shortened("hamburger.edu", 136.0, 15.0), "hamburger.edu");
        assert_eq!(shortened("Alice's laptop", 144.0, 15.0), "Alice's laptop");
        assert_eq!(shortened("a-town-far-away.example", 136.0, 15.0), "a-town-far-aw…");
        assert_eq!(shortened("WWWWWWWWWWWWWWWW", 136.0, 15.0), "WWWWWWWWW…");
    }

    #[test]
    fn boxes_hold_a_name() {
        for servers in 1..=NODES_MAX {
            let map = place(&items(&vec![Kind::Server; servers]), &[]);
            let narrowest = map.spots.values().map(|spot| spot.w).fold(WIDTH, f32::min);
            assert!(narrowest >= 160.0, "{servers} servers: {narrowest}");
        }
    }

    /// What a world has at most.
    const NODES_MAX: usize = 24;

    fn fits(map: &Map, width: f32, kinds: &[Kind]) {
        assert_eq!(map.spots.len(), kinds.len());
        let spots: Vec<Spot> = map.spots.values().copied().collect();
        for (at, a) in spots.iter().enumerate() {
            assert!(a.x - a.w / 2.0 >= 0.0 && a.x + a.w / 2.0 <= width, "{a:?}");
            assert!(a.y - a.h / 2.0 >= 0.0 && a.y + a.h / 2.0 <= map.height, "{a:?} {map:?}");
            for b in &spots[at + 1..] {
                let apart = (a.x - b.x).abs() >= f32::midpoint(a.w, b.w)
                    || (a.y - b.y).abs() >= f32::midpoint(a.h, b.h);
                assert!(apart, "{a:?} and {b:?} of {kinds:?}");
            }
        }
    }

    #[test]
    fn no_line_goes_through_a_box() {
        let mut crossed = Vec::new();
        for listed in crate::story::scenarios() {
            let story = crate::story::Story::scenario(&listed.id).expect("a listed scenario");
            for tall in [true, false] {
                let map = story.map(tall);
                for (a, b) in story.links() {
                    let (from, to) = (map.spots[&a.0], map.spots[&b.0]);
                    for (id, spot) in &map.spots {
                        if *id != a.0 && *id != b.0 && crosses(&from, &to, spot) {
                            let name = |id: u16| story.name(pillarbox_world::world::NodeId(id));
                            let (a, b, id) = (name(a.0), name(b.0), name(*id));
                            crossed
                                .push(format!("{}, tall {tall}: {a} – {b} over {id}", listed.id));
                        }
                    }
                }
            }
        }
        assert!(crossed.is_empty(), "{crossed:#?}");
    }

    /// Whether the line between two boxes goes through a third one.
    fn crosses(from: &Spot, to: &Spot, other: &Spot) -> bool {
        let ((x0, y0), (x1, y1)) = (from.edge(to), to.edge(from));
        (0..=200_u8).any(|step| {
            let share = f32::from(step) / 200.0;
            let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
            (x - other.x).abs() < other.w / 2.0 && (y - other.y).abs() < other.h / 2.0
        })
    }

    #[test]
    fn a_line_leaves_a_box_at_its_edge() {
        let a = Spot { x: 100.0, y: 100.0, w: 92.0, h: 32.0 };
        let b = Spot { x: 300.0, y: 100.0, ..a };
        assert_eq!(a.edge(&b), (150.0, 100.0));
        assert_eq!(b.edge(&a), (250.0, 100.0));
        assert_eq!(a.edge(&Spot { x: 100.0, y: 300.0, ..a }), (100.0, 120.0));
    }
}
