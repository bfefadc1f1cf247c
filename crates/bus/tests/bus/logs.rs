//! Logs, on every carrier.

use bus::{Bus, Log};

use crate::support::{World, name};

async fn log(bus: &Bus) -> Log {
    let log = bus.log(&name("tester"), "fills:paper");
    // A connection that was just begun refuses until it stands.
    while log.last().await.is_err() {
        tokio::task::yield_now().await;
    }
    log
}

async fn an_entry_is_there_once_and_is_read_in_order_and_again(world: World) {
    let (one, two) = (world.bus(), world.bus());
    let (writer, reader) = (log(&one).await, log(&two).await);
    assert_eq!(writer.last().await.unwrap(), 0);
    assert_eq!(reader.after::<String>(0, 10).await.unwrap(), []);
    for number in [1, 2, 7] {
        assert!(writer.append(number, &format!("fill {number}")).await.unwrap());
    }
    for number in [7, 2, 1, 3] {
        assert!(
            !writer.append(number, &"again").await.unwrap(),
            "{number} came before or is there"
        );
    }
    assert_eq!(reader.last().await.unwrap(), 7);
    let entry = |number: u64| (number, format!("fill {number}"));
    assert_eq!(reader.after::<String>(0, 10).await.unwrap(), [entry(1), entry(2), entry(7)]);
    assert_eq!(reader.after::<String>(1, 1).await.unwrap(), [entry(2)]);
    assert_eq!(reader.after::<String>(7, 10).await.unwrap(), []);
    let other = one.log(&name("tester"), "fills:other");
    assert_eq!(other.last().await.unwrap(), 0, "each log has numbers of its own");
    let wrong = reader.after::<u64>(0, 1).await.unwrap_err();
    assert!(wrong.message.contains("entry 1 of bot4:log:tester:fills:paper"), "{wrong}");
}

mod memory {
    #[tokio::test]
    async fn an_entry_is_there_once_and_is_read_in_order_and_again() {
        super::an_entry_is_there_once_and_is_read_in_order_and_again(super::World::memory()).await;
    }
}

mod redis {
    #[tokio::test]
    async fn an_entry_is_there_once_and_is_read_in_order_and_again() {
        super::an_entry_is_there_once_and_is_read_in_order_and_again(super::World::redis()).await;
    }
}
