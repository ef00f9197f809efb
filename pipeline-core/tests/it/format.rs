//! Stored machines of every format still load.

use pipeline_core::executor::{Event, ItemMachine, MACHINE_FORMAT, StageState, Why};
use pipeline_core::time::Timestamp;

use crate::plans::{facts, plan, work};

#[test]
fn a_machine_of_format_1_still_loads_and_goes_on() {
    let text = include_str!("fixtures/machine_1.json");
    let machine: ItemMachine = serde_json::from_str(text).unwrap();
    assert_eq!((machine.format, MACHINE_FORMAT), (1, 1));
    assert_eq!((machine.round, machine.leaves, machine.slot(), machine.crashes), (2, 1, 3, 1));
    assert_eq!(machine.stages[2], StageState::Skipped { why: Why::Disabled, result: None });
    assert_eq!(machine.steps(), 5);
    assert_eq!(serde_json::to_value(&machine).unwrap(), serde_json::from_str::<serde_json::Value>(text).unwrap());
    let plan = plan((0..machine.stages.len()).map(|_| work(&[])).collect());
    let next = machine.step(&plan, &facts(), Timestamp::EPOCH, 0, &Event::Claimed).unwrap().next;
    assert_eq!(next.crashes, 2);
}
