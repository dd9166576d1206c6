--- The next edit: the server proposes to repeat what the user changed, at another place. This module asks for it, shows
--- it, goes to its place, applies it or refuses it. It waits while a suggestion at the cursor is visible or expected.
local config = require('ondol.config')
local document_sync = require('ondol.document_sync')
local edit_diff = require('ondol.edit_diff')
local edit_display = require('ondol.edit_display')
local edit_offer = require('ondol.edit_offer')
local log = require('ondol.log')
local requests = require('ondol.requests')
local scope = require('ondol.scope')
local sessions = require('ondol.session')
local suggestion = require('ondol.suggestion')
local text = require('ondol.text')
local api = vim.api
local M = {}

local invoked, automatic = 1, 2
local refused_command = 'ondol.editDismissed'
local ask_after = 100 -- milliseconds after the cursor reached another line
local look_again_after = 120 -- milliseconds, while a suggestion is expected

local current ---@type ondol.EditOffer|nil
local live = {} ---@type table<integer, true> clients, by id, whose server has something to repeat
local counts = { offered = 0, accepted = 0 }
local ticket = 0
local ask_timer, look_timer
local asked_row, asked_buffer

local function stop(timer)
  if timer and not timer:is_closing() then
    timer:stop()
    timer:close()
  end
end

local function enabled(client)
  return config.options.next_edits and requests.has_command(client, refused_command)
end

local function clear_drawing()
  for _, buffer in ipairs(api.nvim_list_bufs()) do
    edit_display.clear(buffer)
  end
end

local function forget()
  current = nil
  clear_drawing()
end

--- Whether the edit may be shown now: in normal and insert mode, in a buffer that Ondol serves (a help page or a list
--- gets no hint), without a suggestion, menu, snippet or macro.
--- An edit that is on screen stays there while a suggestion is only expected. Otherwise it blinks at each request, and
--- a Tab within the blink indents the line.
local function may_show()
  local mode = api.nvim_get_mode().mode
  local buffer = api.nvim_get_current_buf()
  local waits = sessions.suggests(buffer) or (sessions.expects(buffer) and not current.drawn)
  if (mode ~= 'n' and mode ~= 'i') or vim.fn.reg_executing() ~= '' or waits then
    return false
  elseif not scope.eligible(buffer) or not scope.wanted(buffer) then
    return false
  end
  return not (vim.snippet and vim.snippet.active and vim.snippet.active())
end

--- The key that is mapped to an action, for the hint.
local function key_of(action, plug)
  local key = config.options.keys[action]
  if not key then
    for _, map in ipairs(api.nvim_get_keymap(api.nvim_get_mode().mode:sub(1, 1))) do
      key = key or (map.rhs == plug and map.lhs) or nil
    end
  end
  return key and key:gsub('^<(%w+)>$', '%1')
end

--- The name of a file without its folders; with one of them if the file it is seen from has the same name.
local function short_name(path, from)
  local name = vim.fs.basename(path)
  if name ~= vim.fs.basename(from) then
    return name
  end
  return vim.fs.basename(vim.fs.dirname(path)) .. '/' .. name
end

local function hint_of(edit)
  local key = key_of('next_edit', '<Plug>(OndolNextEdit)')
  local prefix = key and key .. ': ' or ''
  if edit_offer.at_place(edit) then
    return key and prefix .. 'accept' or nil
  end
  local line = 1 + (edit.hunk and edit.hunk.row or edit.edit.range.start.line)
  if edit.buffer == api.nvim_get_current_buf() then
    return ('%snext edit, line %d'):format(prefix, line)
  end
  return ('%snext edit, %s:%d'):format(prefix, short_name(vim.uri_to_fname(edit.uri), api.nvim_buf_get_name(0)), line)
end

local function report_shown(edit)
  if not edit.reported then
    edit.reported = true
    counts.offered = counts.offered + 1
    requests.call(edit.client, 'notify', 'textDocument/didShowInlineEdit', { item = { command = edit.edit.command } })
    api.nvim_exec_autocmds('User', { pattern = 'OndolStatus', modeline = false })
  end
end

--- Draws the edit, or removes the drawing while the edit waits.
local function show()
  stop(look_timer)
  look_timer = nil
  if not current then
    return
  end
  if not edit_offer.valid(current) then
    return forget()
  end
  clear_drawing()
  current.drawn = may_show()
  if not current.drawn then
    if api.nvim_get_mode().mode == 'i' then
      look_timer = vim.defer_fn(show, look_again_after)
    end
    return
  end
  if current.buffer then
    edit_display.draw(current.buffer, current.hunk)
  end
  local hint = hint_of(current)
  if hint then
    edit_display.hint(api.nvim_get_current_buf(), (sessions.cursor()), hint)
  end
  report_shown(current)
end

local function on_answer(number, buffer, tick, client, result)
  local same = number == ticket and api.nvim_get_current_buf() == buffer
  if not same or api.nvim_buf_get_changedtick(buffer) ~= tick or type(result) ~= 'table' then
    return
  end
  local answer = type(result.edits) == 'table' and result.edits[1] or nil
  if not answer then
    -- An edit to whose place the user went stays there, although the server may have nothing to add.
    if current and not (current.reached and edit_offer.valid(current) and edit_offer.at_place(current)) then
      forget()
    end
    return
  end
  local edit, reason = edit_offer.from_answer(answer, client, buffer)
  if not edit then
    return log.add('an edit was not shown: %s', reason)
  end
  -- The server gives each answer a new id.
  edit.reported = current ~= nil and edit_offer.same(current, edit) and current.reported
  edit.drawn = current ~= nil and current.drawn
  live[client.id] = true
  forget()
  current = edit
  show()
end

--- Asks the server for the next edit from the cursor.
local function ask(buffer, client, kind, done)
  stop(ask_timer)
  ask_timer = nil
  if not api.nvim_buf_is_loaded(buffer) or api.nvim_get_current_buf() ~= buffer or not enabled(client) then
    return
  end
  ticket = ticket + 1
  local number, tick = ticket, api.nvim_buf_get_changedtick(buffer)
  local row, column = sessions.cursor()
  asked_row, asked_buffer = row, buffer
  local before = api.nvim_get_current_line():sub(1, column)
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buffer), version = document_sync.version(buffer) or tick },
    position = { line = row, character = text.units(before, client.offset_encoding) },
    context = { triggerKind = kind },
  }
  requests.call(client, 'request', 'textDocument/copilotInlineEdit', params, function(err, result)
    if not err then
      on_answer(number, buffer, tick, client, result)
      if done then
        done()
      end
    end
  end, buffer)
end

local function ask_soon(buffer, client, delay)
  stop(ask_timer)
  ask_timer = vim.defer_fn(function()
    ask(buffer, client, automatic)
  end, delay)
end

--- Handles the server's message that it has a next edit for a document.
---@param client vim.lsp.Client
---@param params any
function M.on_ready(client, params)
  if type(params) ~= 'table' or type(params.uri) ~= 'string' or not enabled(client) then
    return
  end
  local buffer = edit_offer.buffer_of(params.uri)
  if buffer then
    live[client.id] = true
    ask(buffer, client, automatic)
  end
end

--- Whether an edit is shown, so that a key can act on it.
---@return boolean
function M.visible()
  return current ~= nil and current.reported and edit_offer.valid(current) and may_show()
end

--- Whether the edit is shown and its place is not at the cursor.
---@return boolean
function M.elsewhere()
  return M.visible() and not edit_offer.at_place(current)
end

local function go_to_place(edit)
  vim.cmd("normal! m'")
  local problem = edit_offer.load(edit)
  if problem then
    log.notify('the next edit no longer fits: ' .. problem)
    return forget()
  end
  edit.reached = true
  edit.source = nil
  if edit.buffer ~= api.nvim_get_current_buf() then
    local window = vim.fn.bufwinid(edit.buffer)
    if window ~= -1 then
      api.nvim_set_current_win(window)
    else
      api.nvim_win_set_buf(0, edit.buffer)
    end
  end
  local row, column = edit_diff.start(edit.hunk)
  row = math.min(row, api.nvim_buf_line_count(edit.buffer) - 1)
  api.nvim_win_set_cursor(0, { row + 1, column })
  asked_row, asked_buffer = row, edit.buffer
  if vim.o.foldenable then
    vim.cmd('normal! zv')
  end
  show()
end

local function apply(edit)
  local change = { range = edit.edit.range, newText = edit.edit.text }
  suggestion.break_undo()
  vim.lsp.util.apply_text_edits({ change }, edit.buffer, edit.client.offset_encoding)
  local row, column = edit_diff.stop(edit.hunk)
  row = math.min(row, api.nvim_buf_line_count(edit.buffer) - 1)
  api.nvim_win_set_cursor(0, { row + 1, column })
  suggestion.break_undo()
  counts.accepted = counts.accepted + 1
  requests.run_command_of(edit.client, edit.edit)
  forget()
  ask_soon(edit.buffer, edit.client, ask_after)
  api.nvim_exec_autocmds('User', { pattern = 'OndolStatus', modeline = false })
end

--- Goes to the place of the next edit, or applies the edit if the cursor is there. Returns false if none is shown.
---@return boolean
function M.act()
  if not M.visible() then
    return false
  end
  local edit = current
  local function go()
    if current == edit and edit_offer.valid(edit) then
      (edit_offer.at_place(edit) and apply or go_to_place)(edit)
    end
  end
  -- In an expression mapping the text is locked (E565). The edit is then applied after the mapping.
  local done, problem = pcall(go)
  if not done then
    if not tostring(problem):find('E565', 1, true) then
      log.add('the edit was not applied: %s', tostring(problem))
      forget()
      return true
    end
    vim.schedule(go)
  end
  return true
end

--- Asks for the next edit now. Says so if there is none.
function M.trigger()
  local buffer = api.nvim_get_current_buf()
  local session = sessions.of(buffer)
  if session and enabled(session.client) then
    ask(buffer, session.client, invoked, function()
      if not current then
        log.notify('there is no edit to repeat here')
      end
    end)
  end
end

--- Refuses the edit that is shown. Returns false if none is.
---@return boolean
function M.dismiss()
  if not M.visible() then
    return false
  end
  if current.id ~= nil then
    requests.execute(current.client, refused_command, { current.id })
  end
  forget()
  return true
end

--- How many edits were shown and accepted since Neovim started.
---@return { offered: integer, accepted: integer }
function M.counts()
  return counts
end

--- Starts to watch the cursor and the text.
---@param group integer augroup
function M.watch(group)
  sessions.listen(function()
    if current then
      vim.schedule(show)
    end
  end)
  api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI', 'TextChangedP', 'ModeChanged', 'BufEnter' }, {
    group = group,
    desc = 'Ondol: show or hide the next edit',
    callback = show,
  })
  api.nvim_create_autocmd({ 'CursorMoved', 'CursorMovedI' }, {
    group = group,
    desc = 'Ondol: ask for the next edit on another line',
    callback = function(event)
      local row = sessions.cursor()
      show()
      local session = api.nvim_get_current_buf() == event.buf and sessions.of(event.buf) or nil
      local asked = row == asked_row and event.buf == asked_buffer
      if session and live[session.client.id] and not asked then
        ask_soon(event.buf, session.client, ask_after)
      end
    end,
  })
  api.nvim_create_autocmd('LspDetach', {
    group = group,
    callback = function(event)
      local own = current and event.data and current.client.id == event.data.client_id
      if own and (event.buf == current.buffer or event.buf == current.source) then
        forget()
      end
    end,
  })
  api.nvim_create_autocmd('ColorScheme', { group = group, callback = edit_display.define_colours })
end

return M
