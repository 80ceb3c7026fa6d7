<?php

declare(strict_types=1);

// SPDX-License-Identifier: AGPL-3.0-or-later

namespace OCA\ParapheurCompanion\Listener;

use OCA\Files\Event\LoadSidebar;
use OCA\ParapheurCompanion\AppInfo\Application;
use OCP\EventDispatcher\Event;
use OCP\EventDispatcher\IEventListener;
use OCP\Util;

/** @template-implements IEventListener<LoadSidebar> */
class LoadPanel implements IEventListener {
	public function handle(Event $event): void {
		if ($event instanceof LoadSidebar) {
			Util::addScript(Application::APP_ID, 'panel', 'files');
		}
	}
}
